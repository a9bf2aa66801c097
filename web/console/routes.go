package console

import (
	"net/http"
	"slices"

	"github.com/sangdam/sangdam"
)

// route is one row of the table by which every request is served.
type route struct {
	method, path string
	// right is what the Engine's rule is asked. Of the workspace it is asked
	// before serve; of a record the Engine's own call asks it, and before serve
	// only whether the principal may see anything at all.
	right  sangdam.Action
	record bool
	serve  func(*request) error
}

// upload is the one route that reads its body by itself.
const upload = "/files"

// deskPicture is the route whose form holds a picture.
const deskPicture = "/setup/desks/{id}/picture"

const (
	ofWorkspace = false
	ofRecord    = true
)

// table is every route but those of assets, which are public.
func (h *Handler) table() []route {
	return slices.Concat(ownRoutes(), conversationRoutes(), listRoutes(), bulkRoutes(), setupRoutes(), triggerRoutes())
}

const get, post = http.MethodGet, http.MethodPost

// ownRoutes are those of every page, and of the agent who looks at it.
func ownRoutes() []route {
	return []route{
		{get, "/{$}", sangdam.ActList, ofWorkspace, (*request).home},
		{get, "/alive", sangdam.ActList, ofWorkspace, (*request).alive},
		{get, "/events", sangdam.ActList, ofWorkspace, (*request).events},
		{get, "/bar", sangdam.ActList, ofWorkspace, (*request).bar},
		{post, "/preferences", sangdam.ActList, ofWorkspace, (*request).preferences},
		{get, noticePath, sangdam.ActList, ofWorkspace, (*request).noticePage},
		{post, noticePath, sangdam.ActList, ofRecord, (*request).confirmNotice},
		{get, "/me", sangdam.ActList, ofWorkspace, (*request).me},
		{post, "/me/switches", sangdam.ActSwitches, ofRecord, (*request).switches},
		{post, "/presence", sangdam.ActPresence, ofRecord, (*request).setPresence},
		{post, "/offers/{id}/accept", sangdam.ActOffer, ofRecord, (*request).accept},
		{post, "/offers/{id}/decline", sangdam.ActOffer, ofRecord, (*request).decline},
		{post, "/consultations/{id}/accept", sangdam.ActOffer, ofRecord, (*request).acceptConsultation},
		{post, "/consultations/{id}/decline", sangdam.ActOffer, ofRecord, (*request).declineConsultation},
		{post, "/consultations/{id}/withdraw", sangdam.ActTransfer, ofRecord, (*request).withdrawConsultation},
	}
}

// conversationRoutes are those of the conversations and of what is in them.
func conversationRoutes() []route {
	return []route{
		{get, "/conversations", sangdam.ActList, ofWorkspace, (*request).conversations},
		{post, "/views", sangdam.ActTemplate, ofRecord, (*request).saveView},
		{post, "/views/{id}/delete", sangdam.ActTemplate, ofRecord, (*request).deleteView},
		{get, "/conversations/{id}", sangdam.ActRead, ofRecord, (*request).conversation},
		{get, "/conversations/{id}/earlier", sangdam.ActRead, ofRecord, (*request).earlier},
		{get, "/conversations/{id}/explain", sangdam.ActRead, ofRecord, (*request).explain},
		{post, "/conversations/{id}/answer", sangdam.ActAnswer, ofRecord, (*request).answer},
		{post, "/conversations/{id}/note", sangdam.ActNote, ofRecord, (*request).note},
		{post, "/conversations/{id}/typing", sangdam.ActAnswer, ofRecord, (*request).typing},
		{post, "/conversations/{id}/take", sangdam.ActTake, ofRecord, (*request).take},
		{post, "/conversations/{id}/transfer", sangdam.ActTransfer, ofRecord, (*request).transfer},
		{post, "/conversations/{id}/wait", sangdam.ActEnd, ofRecord, (*request).wait},
		{post, "/conversations/{id}/end", sangdam.ActEnd, ofRecord, (*request).end},
		{post, "/conversations/{id}/reopen", sangdam.ActTake, ofRecord, (*request).reopen},
		{post, "/conversations/{id}/ask-rating", sangdam.ActTake, ofRecord, (*request).askRating},
		{post, "/messages/{id}/unsend", sangdam.ActAnswer, ofRecord, (*request).unsend},
		{post, "/messages/{id}/resend", sangdam.ActResend, ofRecord, (*request).resend},
		{post, "/messages/{id}/fetch", sangdam.ActFetch, ofRecord, (*request).fetch},
		{post, "/messages/{id}/mask", sangdam.ActMask, ofRecord, (*request).maskMessage},
		{post, "/messages/{id}/reveal", sangdam.ActReveal, ofRecord, (*request).revealMessage},
		{post, "/messages/{id}/unmask", sangdam.ActUnmask, ofRecord, (*request).unmaskMessage},
		{post, "/tickets/{id}/mask", sangdam.ActMask, ofRecord, (*request).maskTicket},
		{post, "/tickets/{id}/reveal", sangdam.ActReveal, ofRecord, (*request).revealTicket},
		{post, "/tickets/{id}/fields/{code}/reveal", sangdam.ActTicketEdit, ofRecord, (*request).revealField},
		{post, "/tickets/{id}/unmask", sangdam.ActUnmask, ofRecord, (*request).unmaskTicket},
		{get, "/files/{id}/{n}", sangdam.ActRead, ofRecord, (*request).file},
		{get, "/letters/{id}/{n}", sangdam.ActRead, ofRecord, (*request).letter},
		{post, upload, sangdam.ActAnswer, ofRecord, (*request).upload},
		{get, "/canned", sangdam.ActList, ofWorkspace, (*request).canned},
		{post, "/conversations/{id}/panel", sangdam.ActPanel, ofRecord, (*request).savePanel},
		{get, "/conversations/{id}/link", sangdam.ActContact, ofRecord, (*request).linkPage},
		{post, "/conversations/{id}/link", sangdam.ActContact, ofRecord, (*request).link},
		{get, "/contacts/{id}/erase", sangdam.ActErase, ofWorkspace, (*request).erasurePage},
		{get, "/contacts/{id}/erasure", sangdam.ActErase, ofWorkspace, (*request).erasure},
		{post, "/contacts/{id}/erase", sangdam.ActErase, ofWorkspace, (*request).erase},
	}
}

// listRoutes are those of what is listed: replies, queues, the history, tickets.
func listRoutes() []route {
	return []route{
		{get, "/replies", sangdam.ActList, ofWorkspace, (*request).replies},
		{get, "/replies/{id}", sangdam.ActList, ofRecord, (*request).reply},
		{post, "/replies/{id}", sangdam.ActTemplate, ofRecord, (*request).saveReply},
		{get, "/queues", sangdam.ActList, ofWorkspace, (*request).queues},
		{get, "/history", sangdam.ActSearch, ofWorkspace, (*request).history},
		{get, "/history/backups", sangdam.ActBackup, ofWorkspace, (*request).backups},
		{post, "/history/backup", sangdam.ActBackup, ofWorkspace, (*request).backUp},
		{get, "/history/backups/{id}", sangdam.ActBackup, ofWorkspace, (*request).backupFile},
		{get, "/history/export", sangdam.ActSearch, ofWorkspace, (*request).exportHistory},
		{get, "/tickets", sangdam.ActList, ofWorkspace, (*request).tickets},
		{post, "/tickets", sangdam.ActTicketOpen, ofRecord, (*request).openTicket},
		{get, "/tickets/export", sangdam.ActList, ofWorkspace, (*request).exportTickets},
		{get, "/tickets/{id}", sangdam.ActRead, ofRecord, (*request).oneTicket},
		{get, "/tickets/{id}/files/{file}", sangdam.ActRead, ofRecord, (*request).ticketFile},
		{get, "/tickets/{id}/letters/{message}/{n}", sangdam.ActRead, ofRecord, (*request).ticketLetter},
		{post, "/tickets/{id}", sangdam.ActTicketEdit, ofRecord, (*request).saveTicket},
		{post, "/tickets/{id}/merge", sangdam.ActTicketEdit, ofRecord, (*request).mergeTicket},
		{post, "/tickets/{id}/link", sangdam.ActTicketEdit, ofRecord, (*request).linkTicket},
		{get, "/tickets/{id}/split", sangdam.ActRead, ofRecord, (*request).splitPage},
		{post, "/tickets/{id}/split", sangdam.ActTicketEdit, ofRecord, (*request).splitTicket},
		{post, "/tickets/{id}/hand-over", sangdam.ActTicketHandOver, ofRecord, (*request).handOver},
		{post, "/tickets/{id}/take-back", sangdam.ActTicketEdit, ofRecord, (*request).takeBack},
		{post, "/tickets/{id}/follow", sangdam.ActTicketEdit, ofRecord, (*request).followTicket},
		{get, "/ticket-views/{id}", sangdam.ActList, ofRecord, (*request).savedTicketView},
		{post, "/ticket-views/{id}", sangdam.ActTemplate, ofRecord, (*request).saveTicketView},
		{get, "/setup/tickets", sangdam.ActConfigure, ofWorkspace, (*request).ticketSetup},
		{get, "/setup/levels/{id}", sangdam.ActConfigure, ofWorkspace, (*request).level},
		{post, "/setup/levels/{id}", sangdam.ActConfigure, ofWorkspace, (*request).saveLevel},
		{get, "/setup/layouts/{id}", sangdam.ActConfigure, ofWorkspace, (*request).layout},
		{post, "/setup/layouts/{id}", sangdam.ActConfigure, ofWorkspace, (*request).saveLayout},
		{post, "/setup/layouts/preview", sangdam.ActConfigure, ofWorkspace, (*request).previewLayout},
		{get, "/setup/tickets/categories", sangdam.ActConfigure, ofWorkspace, (*request).exportCategories},
		{post, "/setup/tickets/{what}", sangdam.ActConfigure, ofWorkspace, (*request).saveTicketPart},
	}
}

// bulkRoutes are those of changes of many tickets.
func bulkRoutes() []route {
	return []route{
		{get, "/bulk", sangdam.ActTicketBulk, ofWorkspace, (*request).bulks},
		{post, "/bulk", sangdam.ActTicketBulk, ofWorkspace, (*request).startBulk},
		{get, "/bulk/new", sangdam.ActTicketBulk, ofWorkspace, (*request).newBulk},
		{get, "/bulk/{id}", sangdam.ActTicketBulk, ofWorkspace, (*request).bulk},
		{post, "/bulk/{id}/undo", sangdam.ActTicketBulk, ofWorkspace, (*request).undoBulk},
	}
}

// setupRoutes are those of an administrator.
func setupRoutes() []route {
	return []route{
		{get, "/setup", sangdam.ActConfigure, ofWorkspace, (*request).setup},
		{get, "/setup/channels", sangdam.ActConfigure, ofWorkspace, (*request).channels},
		{get, "/setup/workspace", sangdam.ActConfigure, ofWorkspace, (*request).workspace},
		{post, "/setup/workspace", sangdam.ActConfigure, ofWorkspace, (*request).saveWorkspace},
		{get, "/setup/heard", sangdam.ActConfigure, ofWorkspace, (*request).heard},
		{get, "/setup/notice", sangdam.ActConfigure, ofWorkspace, (*request).agentNotice},
		{post, "/setup/notice", sangdam.ActConfigure, ofWorkspace, (*request).saveAgentNotice},
		{get, "/setup/agents/{id}", sangdam.ActConfigure, ofWorkspace, (*request).agent},
		{post, "/setup/agents/{id}", sangdam.ActConfigure, ofWorkspace, (*request).saveAgent},
		{post, "/setup/agents/{id}/invite", sangdam.ActConfigure, ofWorkspace, (*request).invite},
		{post, "/setup/agents/{id}/uninvite", sangdam.ActConfigure, ofWorkspace, (*request).uninvite},
		{get, "/setup/desks/{id}", sangdam.ActConfigure, ofWorkspace, (*request).desk},
		{post, "/setup/desks/{id}", sangdam.ActConfigure, ofWorkspace, (*request).saveDesk},
		{get, "/setup/desks/{id}/picture", sangdam.ActConfigure, ofWorkspace, (*request).deskPicture},
		{post, deskPicture, sangdam.ActConfigure, ofWorkspace, (*request).saveDeskPicture},
		{get, "/setup/queues/{id}", sangdam.ActConfigure, ofWorkspace, (*request).queue},
		{post, "/setup/queues/{id}", sangdam.ActConfigure, ofWorkspace, (*request).saveQueue},
		{get, "/setup/streams/{id}", sangdam.ActConfigure, ofWorkspace, (*request).workStream},
		{post, "/setup/streams/{id}", sangdam.ActConfigure, ofWorkspace, (*request).saveStream},
		{get, "/setup/accounts/{id}", sangdam.ActConfigure, ofWorkspace, (*request).account},
		{post, "/setup/accounts/{id}", sangdam.ActConfigure, ofWorkspace, (*request).saveAccount},
		{get, "/setup/accounts/{id}/check", sangdam.ActConfigure, ofWorkspace, (*request).checkAccount},
		{get, "/setup/accounts/{id}/invitation", sangdam.ActConfigure, ofWorkspace, (*request).accountInvitation},
		{get, "/setup/accounts/{id}/qr", sangdam.ActConfigure, ofWorkspace, (*request).accountQR},
		{get, "/setup/accounts/{id}/preview", sangdam.ActConfigure, ofWorkspace, (*request).preview},
		{get, "/setup/accounts/{id}/first", sangdam.ActConfigure, ofWorkspace, (*request).firstMessage},
		{post, "/setup/accounts/{id}/connect", sangdam.ActConfigure, ofWorkspace, (*request).connectAccount},

		{get, "/setup/hooks", sangdam.ActConfigure, ofWorkspace, (*request).hooks},
		{get, "/setup/hooks/{id}", sangdam.ActConfigure, ofWorkspace, (*request).hook},
		{post, "/setup/hooks/{id}", sangdam.ActConfigure, ofWorkspace, (*request).saveHook},
		{post, "/setup/hooks/{id}/replay", sangdam.ActOperate, ofWorkspace, (*request).replayHook},
		{get, "/setup/targets", sangdam.ActConfigure, ofWorkspace, (*request).targetsPage},
		{get, "/setup/targets/{id}", sangdam.ActConfigure, ofWorkspace, (*request).target},
		{post, "/setup/targets/{id}", sangdam.ActConfigure, ofWorkspace, (*request).saveTarget},
		{post, "/setup/targets/{id}/test", sangdam.ActOperate, ofWorkspace, (*request).testTarget},

		{post, "/setup/mail/preview", sangdam.ActConfigure, ofWorkspace, (*request).previewMail},
	}
}

// triggerRoutes are those of triggers, and of what goes wrong in operation.
func triggerRoutes() []route {
	return []route{
		{get, "/triggers", sangdam.ActConfigure, ofWorkspace, (*request).triggers},
		{get, "/triggers/{id}", sangdam.ActConfigure, ofWorkspace, (*request).trigger},
		{post, "/triggers/{id}", sangdam.ActConfigure, ofWorkspace, (*request).saveTrigger},
		{post, "/triggers/{id}/switch", sangdam.ActConfigure, ofWorkspace, (*request).switchTrigger},
		{post, "/triggers/{id}/move", sangdam.ActConfigure, ofWorkspace, (*request).moveTrigger},
		{post, "/triggers/{id}/trace", sangdam.ActConfigure, ofWorkspace, (*request).traceTriggers},
		{get, "/triggers/{id}/trials/{trial}", sangdam.ActConfigure, ofWorkspace, (*request).trial},
		{post, "/triggers/{id}/trials/{trial}/stop", sangdam.ActConfigure, ofWorkspace, (*request).stopTrial},

		{get, "/macros", sangdam.ActConfigure, ofWorkspace, (*request).macros},
		{get, "/macros/{id}", sangdam.ActConfigure, ofWorkspace, (*request).macro},
		{post, "/macros/{id}", sangdam.ActConfigure, ofWorkspace, (*request).saveMacro},
		{post, "/macros/{id}/move", sangdam.ActConfigure, ofWorkspace, (*request).moveMacro},
		{get, "/run-macro", sangdam.ActRead, ofRecord, (*request).runPage},
		{post, "/run-macro", sangdam.ActRead, ofRecord, (*request).runMacro},

		{get, "/operations", sangdam.ActOperate, ofWorkspace, (*request).operations},
		{get, "/operations/deliveries", sangdam.ActOperate, ofWorkspace, (*request).deliveries},
		{post, "/operations/deliveries", sangdam.ActOperate, ofWorkspace, (*request).replayDeliveries},
		{get, "/operations/deliveries/{id}", sangdam.ActOperate, ofWorkspace, (*request).delivery},
		{post, "/operations/deliveries/{id}/again", sangdam.ActOperate, ofWorkspace, (*request).redeliver},
		{post, "/operations/envelopes/{id}/requeue", sangdam.ActOperate, ofWorkspace, (*request).requeue},
		{post, "/operations/jobs/{id}/retry", sangdam.ActOperate, ofWorkspace, (*request).retryJob},
	}
}
