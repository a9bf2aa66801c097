package sangdam

// The commands of tickets and of what is set up for them.
var (
	opOpenTicket   = acts("ticket.open", "OpenTicket", kindTicket, ActTicketOpen, ActRead).also(kindConversation)
	opSubmitTicket = acts("ticket.submit", "SubmitTicket", kindTicket, ActTicketSubmit)
	opUpdateTicket = acts("ticket.update", "UpdateTicket", kindTicket, ActTicketEdit, ActTicketAnswer, ActTicketComplete).versioned()
	opReplyTicket  = acts("ticket.reply", "ReplyTicket", kindTicket, ActTicketReply)
	opFollowTicket = acts("ticket.follow", "FollowTicket", kindTicket, ActTicketEdit)
	opLinkTickets  = acts("ticket.link", "LinkTickets", kindTicket, ActTicketEdit)
	opMergeTickets = acts("ticket.merge", "MergeTickets", kindTicket, ActTicketEdit)
	opSplitTicket  = acts("ticket.split", "SplitTicket", kindTicket, ActTicketEdit)

	opSavePanel   = acts("conversation.save_panel", "SavePanel", kindConversation, ActPanel, ActContact).also(kindContact).versioned()
	opBulkTickets = acts("ticket.bulk", "BulkTickets", kindTicket, ActTicketBulk, ActList).also(kindMacro)
	opUndoBulk    = acts("ticket.undo_bulk", "UndoBulk", kindTicket, ActTicketBulk)

	opSaveWorkspaceSettings = setup("workspace.save", "SaveWorkspaceSettings", kindWorkspace).versioned()
	opSaveCategory          = define("category.save", "SaveCategory", "category")
	opDeleteCategory        = define("category.delete", "DeleteCategory", "category")
	opSaveField             = define("field.save", "SaveField", "ticket_field")
	opDeleteField           = define("field.delete", "DeleteField", "ticket_field")
	opSaveForm              = define("form.save", "SaveForm", "ticket_form")
	opSaveTemplate          = define("template.save", "SaveTemplate", "answer_template", ActTemplate)
	opDeleteTemplate        = define("template.delete", "DeleteTemplate", "answer_template", ActTemplate)
	opSaveBannedWord        = define("banned_word.save", "SaveBannedWord", "banned_word")
	opDeleteBannedWord      = define("banned_word.delete", "DeleteBannedWord", "banned_word")
	opSaveGroup             = define("group.save", "SaveGroup", kindGroup)
	opDeleteGroup           = define("group.delete", "DeleteGroup", kindGroup)
	opSaveTicketView        = define("view.save", "SaveTicketView", "ticket_view", ActTemplate)
	opDeleteTicketView      = define("view.delete", "DeleteTicketView", "ticket_view", ActTemplate)
	opSaveMailLayout        = define("mail_layout.save", "SaveMailLayout", "mail_layout")
	opDeleteMailLayout      = define("mail_layout.delete", "DeleteMailLayout", "mail_layout")
	opSaveServiceLevel      = define("service_level.save", "SaveServiceLevel", "service_level")
	opDeleteServiceLevel    = define("service_level.delete", "DeleteServiceLevel", "service_level")
)

// define describes a command that saves or deletes what is set up for tickets.
func define(name, method, resource string, also ...Action) *Operation {
	return acts(name, method, resource, append([]Action{ActConfigure}, also...)...).versioned()
}
