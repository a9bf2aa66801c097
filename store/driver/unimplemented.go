package driver

import (
	"context"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// errUnimplemented is what every method of the types below returns.
var errUnimplemented error = errs.New(errs.Unsupported, "store: this store does not implement the call; use a newer version of it")

// Unimplemented implements Backend by returning ErrUnsupported. The author of
// a store embeds it, and the types below in what implements Tx, System and the
// repositories, so that the store still compiles when a minor release of this
// package adds a method.
type Unimplemented struct{}

func (Unimplemented) Update(context.Context, WorkspaceID, func(ctx context.Context, tx Tx) error) error {
	return errUnimplemented
}
func (Unimplemented) View(context.Context, WorkspaceID, func(ctx context.Context, tx Tx) error) error {
	return errUnimplemented
}
func (Unimplemented) AppendEnvelopes(context.Context, WorkspaceID, []channel.Envelope) ([]bool, error) {
	return nil, errUnimplemented
}
func (Unimplemented) Feed(context.Context, WorkspaceID, string, int) ([]Event, string, error) {
	return nil, "", errUnimplemented
}
func (Unimplemented) Wake() (<-chan struct{}, func()) { return nil, func() {} }
func (Unimplemented) System() System                  { return UnimplementedSystem{} }
func (Unimplemented) Stats() Stats                    { return Stats{} }
func (Unimplemented) Close() error                    { return errUnimplemented }

// UnimplementedTx implements Tx; see Unimplemented.
type UnimplementedTx struct{}

func (UnimplementedTx) Workspace() WorkspaceID                               { return "" }
func (UnimplementedTx) Now() time.Time                                       { return time.Time{} }
func (UnimplementedTx) Guard(context.Context, GuardRow, string, int64) error { return errUnimplemented }
func (UnimplementedTx) Accounts() channel.AccountRepo                        { return UnimplementedAccountRepo{} }
func (UnimplementedTx) Inbox() channel.InboxRepo                             { return UnimplementedInboxRepo{} }
func (UnimplementedTx) Outbox() channel.OutboxRepo                           { return UnimplementedOutboxRepo{} }
func (UnimplementedTx) Conversations() conversation.Repo                     { return UnimplementedConversationRepo{} }
func (UnimplementedTx) Contacts() conversation.ContactRepo                   { return UnimplementedContactRepo{} }
func (UnimplementedTx) Config() routing.ConfigRepo                           { return UnimplementedConfigRepo{} }
func (UnimplementedTx) Agents() routing.AgentRepo                            { return UnimplementedAgentRepo{} }
func (UnimplementedTx) Work() routing.WorkRepo                               { return UnimplementedWorkRepo{} }
func (UnimplementedTx) Events() EventRepo                                    { return UnimplementedEventRepo{} }
func (UnimplementedTx) Audit() AuditRepo                                     { return UnimplementedAuditRepo{} }
func (UnimplementedTx) Deadlines() DeadlineRepo                              { return UnimplementedDeadlineRepo{} }
func (UnimplementedTx) Jobs() JobRepo                                        { return UnimplementedJobRepo{} }
func (UnimplementedTx) Commands() CommandRepo                                { return UnimplementedCommandRepo{} }
func (UnimplementedTx) Search() SearchRepo                                   { return UnimplementedSearchRepo{} }
func (UnimplementedTx) Blobs() BlobRepo                                      { return UnimplementedBlobRepo{} }
func (UnimplementedTx) Vault() VaultRepo                                     { return UnimplementedVaultRepo{} }
func (UnimplementedTx) Documents() DocRepo                                   { return UnimplementedDocRepo{} }

// UnimplementedEventRepo implements EventRepo; see Unimplemented.
type UnimplementedEventRepo struct{}

func (UnimplementedEventRepo) Append(context.Context, ...Event) error { return errUnimplemented }
func (UnimplementedEventRepo) Purge(context.Context, time.Time, int) (int, error) {
	return 0, errUnimplemented
}

// UnimplementedAuditRepo implements AuditRepo; see Unimplemented.
type UnimplementedAuditRepo struct{}

func (UnimplementedAuditRepo) Append(context.Context, AuditEntry) error { return errUnimplemented }
func (UnimplementedAuditRepo) List(context.Context, int64, int) ([]AuditEntry, error) {
	return nil, errUnimplemented
}

// UnimplementedDeadlineRepo implements DeadlineRepo; see Unimplemented.
type UnimplementedDeadlineRepo struct{}

func (UnimplementedDeadlineRepo) Set(context.Context, string, string, time.Time) error {
	return errUnimplemented
}
func (UnimplementedDeadlineRepo) Clear(context.Context, string, string) error {
	return errUnimplemented
}

// UnimplementedJobRepo implements JobRepo; see Unimplemented.
type UnimplementedJobRepo struct{}

func (UnimplementedJobRepo) Enqueue(context.Context, Job) error           { return errUnimplemented }
func (UnimplementedJobRepo) Finish(context.Context, string, string) error { return errUnimplemented }
func (UnimplementedJobRepo) Fail(context.Context, string, string, string, time.Time) error {
	return errUnimplemented
}
func (UnimplementedJobRepo) Report(context.Context, string, string, int, time.Duration) error {
	return errUnimplemented
}
func (UnimplementedJobRepo) Job(context.Context, string) (Job, error) { return Job{}, errUnimplemented }
func (UnimplementedJobRepo) Dead(context.Context, int) ([]Job, error) { return nil, errUnimplemented }
func (UnimplementedJobRepo) Purge(context.Context, time.Time, int) (int, error) {
	return 0, errUnimplemented
}

// UnimplementedCommandRepo implements CommandRepo; see Unimplemented.
type UnimplementedCommandRepo struct{}

func (UnimplementedCommandRepo) Lookup(context.Context, string, string) (string, []byte, error) {
	return "", nil, errUnimplemented
}
func (UnimplementedCommandRepo) Store(context.Context, string, string, string, []byte) error {
	return errUnimplemented
}
func (UnimplementedCommandRepo) Purge(context.Context, time.Time, int) (int, error) {
	return 0, errUnimplemented
}

// UnimplementedSearchRepo implements SearchRepo; see Unimplemented.
type UnimplementedSearchRepo struct{}

func (UnimplementedSearchRepo) Put(context.Context, conversation.MessageID, conversation.ID, time.Time, []string) error {
	return errUnimplemented
}
func (UnimplementedSearchRepo) Delete(context.Context, conversation.MessageID) error {
	return errUnimplemented
}
func (UnimplementedSearchRepo) Find(context.Context, []string, SearchHit, int) ([]SearchHit, error) {
	return nil, errUnimplemented
}

// UnimplementedBlobRepo implements BlobRepo; see Unimplemented.
type UnimplementedBlobRepo struct{}

func (UnimplementedBlobRepo) Reference(context.Context, Blob) error { return errUnimplemented }
func (UnimplementedBlobRepo) Blob(context.Context, string) (Blob, error) {
	return Blob{}, errUnimplemented
}
func (UnimplementedBlobRepo) Release(context.Context, string) error { return errUnimplemented }
func (UnimplementedBlobRepo) Known(context.Context, []string) (map[string]bool, error) {
	return nil, errUnimplemented
}

// UnimplementedVaultRepo implements VaultRepo; see Unimplemented.
type UnimplementedVaultRepo struct{}

func (UnimplementedVaultRepo) PutSealed(context.Context, string, string, []byte) error {
	return errUnimplemented
}
func (UnimplementedVaultRepo) Sealed(context.Context, string, string) ([]byte, error) {
	return nil, errUnimplemented
}
func (UnimplementedVaultRepo) DropOwner(context.Context, string) error { return errUnimplemented }
func (UnimplementedVaultRepo) Owners(context.Context, string, int) ([]string, error) {
	return nil, errUnimplemented
}
func (UnimplementedVaultRepo) Names(context.Context, string) ([]string, error) {
	return nil, errUnimplemented
}

// UnimplementedDocRepo implements DocRepo; see Unimplemented.
type UnimplementedDocRepo struct{}

func (UnimplementedDocRepo) Get(context.Context, string, []string) ([]Doc, error) {
	return nil, errUnimplemented
}
func (UnimplementedDocRepo) ByKey(context.Context, string, int, [][]byte) ([]Doc, error) {
	return nil, errUnimplemented
}
func (UnimplementedDocRepo) Put(context.Context, []Doc) error { return errUnimplemented }
func (UnimplementedDocRepo) Delete(context.Context, string, string, int64) error {
	return errUnimplemented
}
func (UnimplementedDocRepo) List(context.Context, Range, Place, int) ([]Placed, error) {
	return nil, errUnimplemented
}
func (UnimplementedDocRepo) Count(context.Context, Range, int) (int, error) {
	return 0, errUnimplemented
}
func (UnimplementedDocRepo) Guard(context.Context, string, string, int64) error {
	return errUnimplemented
}
func (UnimplementedDocRepo) Stale(context.Context, string, int, int) ([]Doc, error) {
	return nil, errUnimplemented
}

// UnimplementedSystem implements System; see Unimplemented.
type UnimplementedSystem struct{}

func (UnimplementedSystem) CreateWorkspace(context.Context, WorkspaceID, string) error {
	return errUnimplemented
}
func (UnimplementedSystem) Workspaces(context.Context) ([]WorkspaceID, error) {
	return nil, errUnimplemented
}
func (UnimplementedSystem) ResolveAccount(context.Context, string) (WorkspaceID, channel.AccountID, error) {
	return "", "", errUnimplemented
}
func (UnimplementedSystem) ClaimInbox(context.Context, string, int, int, time.Duration) ([]InboxLane, error) {
	return nil, errUnimplemented
}
func (UnimplementedSystem) ReleaseInbox(context.Context, ...LaneRef) error { return errUnimplemented }
func (UnimplementedSystem) ClaimOutbox(context.Context, string, int, int, time.Duration) ([]OutboxLane, error) {
	return nil, errUnimplemented
}
func (UnimplementedSystem) ReleaseOutbox(context.Context, ...LaneRef) error { return errUnimplemented }
func (UnimplementedSystem) ClaimJobs(context.Context, string, []string, int, time.Duration) ([]Job, error) {
	return nil, errUnimplemented
}
func (UnimplementedSystem) Due(context.Context, int) ([]Deadline, error) {
	return nil, errUnimplemented
}
func (UnimplementedSystem) NextDue(context.Context) (time.Time, bool, error) {
	return time.Time{}, false, errUnimplemented
}
func (UnimplementedSystem) Beat(context.Context, string, time.Duration) ([]string, error) {
	return nil, errUnimplemented
}
func (UnimplementedSystem) Lease(context.Context, string, string, time.Duration) (int64, error) {
	return 0, errUnimplemented
}
func (UnimplementedSystem) BeatAgents(context.Context, WorkspaceID, []routing.AgentID) error {
	return errUnimplemented
}
func (UnimplementedSystem) LostAgents(context.Context, time.Time, int) ([]AgentRef, error) {
	return nil, errUnimplemented
}
func (UnimplementedSystem) Meta(context.Context, string) ([]byte, error) {
	return nil, errUnimplemented
}
func (UnimplementedSystem) PutMeta(context.Context, string, []byte, []byte) error {
	return errUnimplemented
}
func (UnimplementedSystem) Now(context.Context) (time.Time, error) {
	return time.Time{}, errUnimplemented
}
func (UnimplementedSystem) Check(context.Context) error { return errUnimplemented }

// UnimplementedAccountRepo implements channel.AccountRepo; see Unimplemented.
type UnimplementedAccountRepo struct{}

func (UnimplementedAccountRepo) Account(context.Context, channel.AccountID) (channel.Account, error) {
	return channel.Account{}, errUnimplemented
}
func (UnimplementedAccountRepo) Accounts(context.Context) ([]channel.Account, error) {
	return nil, errUnimplemented
}
func (UnimplementedAccountRepo) SaveAccount(context.Context, channel.Account) (int64, error) {
	return 0, errUnimplemented
}

// UnimplementedInboxRepo implements channel.InboxRepo; see Unimplemented.
type UnimplementedInboxRepo struct{}

func (UnimplementedInboxRepo) Done(context.Context, channel.Claim, channel.EnvelopeID) error {
	return errUnimplemented
}
func (UnimplementedInboxRepo) Retry(context.Context, channel.Claim, channel.EnvelopeID, time.Time, string) error {
	return errUnimplemented
}
func (UnimplementedInboxRepo) Quarantine(context.Context, channel.Claim, channel.EnvelopeID, string) error {
	return errUnimplemented
}
func (UnimplementedInboxRepo) Quarantined(context.Context, int) ([]channel.Quarantined, error) {
	return nil, errUnimplemented
}
func (UnimplementedInboxRepo) Requeue(context.Context, channel.EnvelopeID) error {
	return errUnimplemented
}
func (UnimplementedInboxRepo) Envelope(context.Context, channel.EnvelopeID) (channel.Envelope, error) {
	return channel.Envelope{}, errUnimplemented
}
func (UnimplementedInboxRepo) Purge(context.Context, time.Time, time.Time, int) (int, error) {
	return 0, errUnimplemented
}

// UnimplementedOutboxRepo implements channel.OutboxRepo; see Unimplemented.
type UnimplementedOutboxRepo struct{}

func (UnimplementedOutboxRepo) Enqueue(context.Context, ...channel.OutboxRow) error {
	return errUnimplemented
}
func (UnimplementedOutboxRepo) Begin(context.Context, channel.Claim, channel.Attempt) error {
	return errUnimplemented
}
func (UnimplementedOutboxRepo) Settle(context.Context, channel.Claim, string, channel.Settlement) error {
	return errUnimplemented
}
func (UnimplementedOutboxRepo) Fail(context.Context, channel.Claim, channel.OutboxID, channel.Reason, string) error {
	return errUnimplemented
}
func (UnimplementedOutboxRepo) Pause(context.Context, channel.AccountID, time.Time) error {
	return errUnimplemented
}
func (UnimplementedOutboxRepo) Row(context.Context, channel.OutboxID) (channel.OutboxRow, error) {
	return channel.OutboxRow{}, errUnimplemented
}
func (UnimplementedOutboxRepo) Pending(context.Context) (int, error) { return 0, errUnimplemented }
func (UnimplementedOutboxRepo) Purge(context.Context, time.Time, int) (int, error) {
	return 0, errUnimplemented
}

// UnimplementedConversationRepo implements conversation.Repo; see Unimplemented.
type UnimplementedConversationRepo struct{}

func (UnimplementedConversationRepo) Conversation(context.Context, conversation.ID) (conversation.Conversation, error) {
	return conversation.Conversation{}, errUnimplemented
}
func (UnimplementedConversationRepo) ByThread(context.Context, string) (*conversation.Conversation, *conversation.Conversation, error) {
	return nil, nil, errUnimplemented
}
func (UnimplementedConversationRepo) SaveConversation(context.Context, conversation.Conversation) (int64, error) {
	return 0, errUnimplemented
}
func (UnimplementedConversationRepo) List(context.Context, conversation.Filter, string, int) ([]conversation.Conversation, string, error) {
	return nil, "", errUnimplemented
}
func (UnimplementedConversationRepo) Message(context.Context, conversation.MessageID) (conversation.Message, error) {
	return conversation.Message{}, errUnimplemented
}
func (UnimplementedConversationRepo) ByProvider(context.Context, channel.AccountID, channel.Chat, channel.ProviderMessageID) (conversation.Message, error) {
	return conversation.Message{}, errUnimplemented
}
func (UnimplementedConversationRepo) SaveMessage(context.Context, conversation.Message) (int64, error) {
	return 0, errUnimplemented
}
func (UnimplementedConversationRepo) Messages(context.Context, conversation.ID, int64, int) ([]conversation.Message, error) {
	return nil, errUnimplemented
}
func (UnimplementedConversationRepo) AppendEvents(context.Context, ...conversation.Event) error {
	return errUnimplemented
}
func (UnimplementedConversationRepo) Events(context.Context, conversation.ID, int64, int) ([]conversation.Event, error) {
	return nil, errUnimplemented
}

// UnimplementedContactRepo implements conversation.ContactRepo; see Unimplemented.
type UnimplementedContactRepo struct{}

func (UnimplementedContactRepo) Contact(context.Context, conversation.ContactID) (conversation.Contact, error) {
	return conversation.Contact{}, errUnimplemented
}
func (UnimplementedContactRepo) SaveContact(context.Context, conversation.Contact) (int64, error) {
	return 0, errUnimplemented
}
func (UnimplementedContactRepo) Identity(context.Context, channel.Kind, channel.Scope, channel.ProviderUserID) (conversation.Identity, error) {
	return conversation.Identity{}, errUnimplemented
}
func (UnimplementedContactRepo) IdentityByID(context.Context, conversation.IdentityID) (conversation.Identity, error) {
	return conversation.Identity{}, errUnimplemented
}
func (UnimplementedContactRepo) SaveIdentity(context.Context, conversation.Identity) (int64, error) {
	return 0, errUnimplemented
}
func (UnimplementedContactRepo) Identities(context.Context, conversation.ContactID) ([]conversation.Identity, error) {
	return nil, errUnimplemented
}
func (UnimplementedContactRepo) FindContacts(context.Context, string, int) ([]conversation.Contact, error) {
	return nil, errUnimplemented
}
func (UnimplementedContactRepo) PutEarly(context.Context, conversation.Early) error {
	return errUnimplemented
}
func (UnimplementedContactRepo) TakeEarly(context.Context, channel.AccountID, channel.Chat, channel.ProviderMessageID) (conversation.Early, error) {
	return conversation.Early{}, errUnimplemented
}

// UnimplementedConfigRepo implements routing.ConfigRepo; see Unimplemented.
type UnimplementedConfigRepo struct{}

func (UnimplementedConfigRepo) Configuration(context.Context) (routing.Configuration, error) {
	return routing.Configuration{}, errUnimplemented
}
func (UnimplementedConfigRepo) Hold(context.Context) error                   { return errUnimplemented }
func (UnimplementedConfigRepo) SaveDesk(context.Context, routing.Desk) error { return errUnimplemented }
func (UnimplementedConfigRepo) SaveWorkStream(context.Context, routing.WorkStream) error {
	return errUnimplemented
}
func (UnimplementedConfigRepo) SaveQueue(context.Context, routing.Queue) error {
	return errUnimplemented
}
func (UnimplementedConfigRepo) DeleteWorkStream(context.Context, routing.WorkStreamID) error {
	return errUnimplemented
}
func (UnimplementedConfigRepo) DeleteQueue(context.Context, routing.QueueID) error {
	return errUnimplemented
}
func (UnimplementedConfigRepo) AddMember(context.Context, routing.DeskID, routing.AgentID) error {
	return errUnimplemented
}
func (UnimplementedConfigRepo) RemoveMember(context.Context, routing.DeskID, routing.AgentID) error {
	return errUnimplemented
}

// UnimplementedAgentRepo implements routing.AgentRepo; see Unimplemented.
type UnimplementedAgentRepo struct{}

func (UnimplementedAgentRepo) Agent(context.Context, routing.AgentID) (routing.Agent, error) {
	return routing.Agent{}, errUnimplemented
}
func (UnimplementedAgentRepo) Agents(context.Context) ([]routing.Agent, error) {
	return nil, errUnimplemented
}
func (UnimplementedAgentRepo) SaveAgent(context.Context, routing.Agent) (int64, error) {
	return 0, errUnimplemented
}
func (UnimplementedAgentRepo) SetPresence(context.Context, routing.AgentID, routing.Presence, string, time.Time) (routing.Agent, error) {
	return routing.Agent{}, errUnimplemented
}

// UnimplementedWorkRepo implements routing.WorkRepo; see Unimplemented.
type UnimplementedWorkRepo struct{}

func (UnimplementedWorkRepo) Item(context.Context, routing.ItemID) (routing.Item, error) {
	return routing.Item{}, errUnimplemented
}
func (UnimplementedWorkRepo) SaveItem(context.Context, routing.Item) (int64, error) {
	return 0, errUnimplemented
}
func (UnimplementedWorkRepo) Reserve(context.Context, routing.Reservation) error {
	return errUnimplemented
}
func (UnimplementedWorkRepo) Accept(context.Context, routing.OfferID, routing.AssignmentID, time.Time) (routing.Assignment, error) {
	return routing.Assignment{}, errUnimplemented
}
func (UnimplementedWorkRepo) EndOffer(context.Context, routing.OfferID, routing.OfferState, string, time.Time) (routing.Offer, error) {
	return routing.Offer{}, errUnimplemented
}
func (UnimplementedWorkRepo) EndAssignment(context.Context, routing.ItemID, routing.AssignmentID, routing.EndReason, routing.ItemState, time.Time) (routing.Assignment, error) {
	return routing.Assignment{}, errUnimplemented
}
func (UnimplementedWorkRepo) Held(context.Context, routing.ItemID) (*routing.Offer, *routing.Assignment, error) {
	return nil, nil, errUnimplemented
}
func (UnimplementedWorkRepo) Offer(context.Context, routing.OfferID) (routing.Offer, error) {
	return routing.Offer{}, errUnimplemented
}
func (UnimplementedWorkRepo) HeldBy(context.Context, routing.AgentID) ([]routing.Offer, []routing.Assignment, error) {
	return nil, nil, errUnimplemented
}
func (UnimplementedWorkRepo) Open(context.Context) ([]routing.Item, error) {
	return nil, errUnimplemented
}
func (UnimplementedWorkRepo) Decisions(context.Context, routing.ItemID) ([]routing.Decision, error) {
	return nil, errUnimplemented
}

var _ Backend = Unimplemented{}

// PurgeDead implements the method; see Unimplemented.
func (UnimplementedJobRepo) PurgeDead(context.Context, time.Time, int) (int, error) {
	return 0, errUnimplemented
}

// PurgeEarly implements the method; see Unimplemented.
func (UnimplementedContactRepo) PurgeEarly(context.Context, time.Time, int) (int, error) {
	return 0, errUnimplemented
}

// PurgeOffers implements the method; see Unimplemented.
func (UnimplementedWorkRepo) PurgeOffers(context.Context, time.Time, int) (int, error) {
	return 0, errUnimplemented
}

// PurgeDecisions implements the method; see Unimplemented.
func (UnimplementedWorkRepo) PurgeDecisions(context.Context, time.Time, int) (int, error) {
	return 0, errUnimplemented
}
