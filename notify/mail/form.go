package mail

import (
	"github.com/sangdam/sangdam/internal/smtpout"
	"github.com/sangdam/sangdam/notify"
)

// Form implements notify.Describer.
func (*Carrier) Form() notify.Form {
	return notify.Form{To: notify.PartMail, Parts: []notify.Part{
		{Name: "from", Type: notify.PartMail, Required: true, Leads: true, Like: "help@shop.example",
			Label: notify.Words{"en": "Sender's address", "ko": "보내는 주소", "ja": "差出人アドレス"},
			Hint: notify.Words{
				"en": "Mails come from here.",
				"ko": "메일이 이 주소로 나갑니다.",
				"ja": "メールはこのアドレスから送られます。",
			}},
		{Name: "name", Type: notify.PartText,
			Label: notify.Words{"en": "Sender's name", "ko": "보내는 이름", "ja": "差出人名"},
			Hint:  notify.Words{"en": "What recipients see", "ko": "받는 사람에게 보이는 이름", "ja": "受信者に表示される名前"}},
		{Name: "reply_to", Type: notify.PartMail,
			Label: notify.Words{"en": "Address for answers", "ko": "답장 받을 주소", "ja": "返信先アドレス"},
			Hint: notify.Words{
				"en": "Only where answers go elsewhere",
				"ko": "답장을 다른 주소로 받을 때만",
				"ja": "返信を別のアドレスで受けるときだけ",
			}},
		{Name: "host", Type: notify.PartText, Required: true, Like: "smtp.shop.example",
			Label: notify.Words{"en": "Server", "ko": "서버", "ja": "サーバー"}},
		{Name: "port", Type: notify.PartNumber,
			Label: notify.Words{"en": "Port", "ko": "포트", "ja": "ポート"},
			Hint: notify.Words{
				"en": "Empty: 587, or 465 with TLS from the start",
				"ko": "비우면 587, 처음부터 TLS이면 465",
				"ja": "空欄: 587、最初からTLSなら465",
			}},
		{Name: "encryption", Type: notify.PartChoice,
			Label: notify.Words{"en": "Encryption", "ko": "암호화", "ja": "暗号化"},
			Choices: []notify.Choice{
				{Value: smtpout.StartTLS, Label: notify.Words{"en": "STARTTLS", "ko": "STARTTLS", "ja": "STARTTLS"}},
				{Value: smtpout.TLS, Label: notify.Words{"en": "TLS from the start", "ko": "처음부터 TLS", "ja": "最初からTLS"}},
				{Value: smtpout.Plain, Label: notify.Words{
					"en": "none, on this machine alone",
					"ko": "없음(이 서버 안에서만)",
					"ja": "なし(このマシン内のみ)",
				}},
			}},
		{Name: "user", Type: notify.PartText,
			Label: notify.Words{"en": "User", "ko": "사용자", "ja": "ユーザー"},
			Hint: notify.Words{
				"en": "Empty: nobody logs in, and a stored password is forgotten",
				"ko": "비우면 로그인하지 않고, 저장된 비밀번호도 지웁니다",
				"ja": "空欄: ログインせず、保存済みのパスワードも消します",
			}},
		{Name: SecretPassword, Type: notify.PartSecret, Of: "user",
			Label: notify.Words{"en": "Password", "ko": "비밀번호", "ja": "パスワード"}},
	}}
}
