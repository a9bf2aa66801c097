package sangdam

// The commands of tickets and of what is set up for them.
var (
	opOpenTicket   = register(&Operation{Name: "ticket.open", Method: "OpenTicket", Actions: []Action{ActTicketOpen}, Keyed: true})
	opSubmitTicket = register(&Operation{Name: "ticket.submit", Method: "SubmitTicket", Actions: []Action{ActTicketSubmit}, Keyed: true})
	opUpdateTicket = register(&Operation{Name: "ticket.update", Method: "UpdateTicket",
		Actions: []Action{ActTicketEdit, ActTicketAnswer, ActTicketComplete}, Keyed: true, Versioned: true})
	opReplyTicket  = register(&Operation{Name: "ticket.reply", Method: "ReplyTicket", Actions: []Action{ActTicketReply}, Keyed: true})
	opFollowTicket = register(&Operation{Name: "ticket.follow", Method: "FollowTicket", Actions: []Action{ActTicketEdit}, Keyed: true})
	opLinkTickets  = register(&Operation{Name: "ticket.link", Method: "LinkTickets", Actions: []Action{ActTicketEdit}, Keyed: true})
	opMergeTickets = register(&Operation{Name: "ticket.merge", Method: "MergeTickets", Actions: []Action{ActTicketEdit}, Keyed: true})
	opSplitTicket  = register(&Operation{Name: "ticket.split", Method: "SplitTicket", Actions: []Action{ActTicketEdit}, Keyed: true})

	opSavePanel = register(&Operation{Name: "conversation.save_panel", Method: "SavePanel", Actions: []Action{ActPanel}, Keyed: true,
		Versioned: true})
	opBulkTickets = register(&Operation{Name: "ticket.bulk", Method: "BulkTickets", Actions: []Action{ActTicketBulk}, Keyed: true})
	opUndoBulk    = register(&Operation{Name: "ticket.undo_bulk", Method: "UndoBulk", Actions: []Action{ActTicketBulk}, Keyed: true})

	opSaveWorkspaceSettings = setup("workspace.save", "SaveWorkspaceSettings", true)
	opSaveCategory          = define("category.save", "SaveCategory")
	opDeleteCategory        = define("category.delete", "DeleteCategory")
	opSaveField             = define("field.save", "SaveField")
	opDeleteField           = define("field.delete", "DeleteField")
	opSaveForm              = define("form.save", "SaveForm")
	opSaveTemplate          = define("template.save", "SaveTemplate", ActTemplate)
	opDeleteTemplate        = define("template.delete", "DeleteTemplate", ActTemplate)
	opSaveBannedWord        = define("banned_word.save", "SaveBannedWord")
	opDeleteBannedWord      = define("banned_word.delete", "DeleteBannedWord")
	opSaveGroup             = define("group.save", "SaveGroup")
	opDeleteGroup           = define("group.delete", "DeleteGroup")
	opSaveTicketView        = define("view.save", "SaveTicketView", ActTemplate)
	opDeleteTicketView      = define("view.delete", "DeleteTicketView", ActTemplate)
	opSaveMailLayout        = define("mail_layout.save", "SaveMailLayout")
	opDeleteMailLayout      = define("mail_layout.delete", "DeleteMailLayout")
	opSaveServiceLevel      = define("service_level.save", "SaveServiceLevel")
	opDeleteServiceLevel    = define("service_level.delete", "DeleteServiceLevel")
)

// define describes a command that saves or deletes what is set up for tickets.
func define(name, method string, also ...Action) *Operation {
	return register(&Operation{Name: name, Method: method, Actions: append([]Action{ActConfigure}, also...), Keyed: true, Versioned: true})
}
