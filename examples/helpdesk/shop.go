package main

import (
	"context"
	"encoding/json"
	"html/template"
	"net/http"

	"golang.org/x/text/language"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/webchat"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

// shopID is the account of the demonstration's shop page, and its work stream.
const shopID = "shop"

var shopPage = template.Must(template.ParseFS(pageFiles, "pages/shop.html"))

// seedShop makes the web-chat account of a demonstration's shop page.
func (h *helpdesk) seedShop(ctx context.Context) error {
	have, err := h.eng.Configuration(ctx, host())
	if err != nil {
		return err
	}
	if _, ok := have.WorkStreams[shopID]; !ok {
		w := h.defaultStream()
		w.ID, w.Name, w.ChannelKind = shopID, "Web chat", string(webchat.Kind)
		if _, err := h.eng.SaveWorkStream(ctx, host(), sangdam.SaveWorkStream{WorkStream: w}); err != nil {
			return err
		}
	}
	all, err := h.eng.Accounts(ctx, host())
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.ID == shopID {
			h.shop = a.Token
			return nil
		}
	}
	if err := h.seedCategories(ctx); err != nil {
		return err
	}
	form := webchat.Texts{"": h.o.home + "/help/?lang=en", "ko": h.o.home + "/help/?lang=ko", "ja": h.o.home + "/help/?lang=ja"}
	settings, err := json.Marshal(webchat.Settings{Color: "#2f5bea", FormURL: form, Consent: &webchat.Consent{Version: "demo",
		Texts: webchat.Texts{
			"": "What you write here is stored so that we can answer you.", "ko": "상담을 위해 대화 내용이 저장됩니다.",
			"ja": "お問い合わせ対応のため、会話の内容を保存します。"}}})
	if err != nil {
		return err
	}
	saved, err := h.eng.SaveAccount(ctx, host(), sangdam.SaveAccount{Account: channel.Account{ID: shopID, Kind: webchat.Kind,
		Name: "Shop page",
		Desk: deskID, WorkStream: routing.WorkStreamID(shopID), Attachments: true, CustomerAttachments: true, AgentAttachments: true,
		Settings: settings, Secrets: map[string]channel.Secret{webchat.SecretVisitor: channel.NewSecret(webchat.NewKey())}}})
	h.shop = saved.Account.Token
	return err
}

// seedCategories makes what an inquiry can be about, beside the category that is
// there where mail is sent.
func (h *helpdesk) seedCategories(ctx context.Context) error {
	tree, err := h.intake(ctx)
	if err != nil {
		return err
	}
	version := tree.Version
	for _, names := range []map[string]string{{"en": "Delivery", "ko": "배송", "ja": "配送"}, {"en": "Returns and refunds", "ko": "반품·환불",
		"ja": "返品・返金"},
		{"en": "Something else", "ko": "기타", "ja": "その他"}} {
		saved, err := h.eng.SaveCategory(ctx, host(), sangdam.SaveCategory{Tree: ticket.Intake, Version: version,
			Category: ticket.Category{Names: names, Offered: true}})
		if err != nil {
			return err
		}
		version = saved.Version
	}
	return nil
}

// shopLanguages are those that the widget speaks; whoever reads none gets the first.
var shopLanguages = language.NewMatcher([]language.Tag{language.English, language.Korean, language.Japanese})

// serveShop is a page as a shop would have it, with the widget on it in the
// language that the address asks for ("?lang=ko"), else the browser.
func (h *helpdesk) serveShop(w http.ResponseWriter, r *http.Request) {
	tag, _ := language.MatchStrings(shopLanguages, r.URL.Query().Get("lang"), r.Header.Get("Accept-Language"))
	lang, _ := tag.Base()
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = shopPage.Execute(w, map[string]string{"Account": h.shop, "Lang": lang.String()}) // the reader may be gone
}
