package webhook

import (
	"github.com/sangdam/sangdam/notify"
)

// Form implements notify.Describer.
func (*Carrier) Form() notify.Form {
	return notify.Form{Parts: []notify.Part{
		{Name: "url", Type: notify.PartURL, Required: true, Leads: true, Like: "https://",
			Label: notify.Words{"en": "Address", "ko": "주소", "ja": "アドレス"},
			Hint: notify.Words{
				"en": "https, and reachable from outside: private networks are not called.",
				"ko": "외부에서 접속할 수 있는 https 주소여야 하며, 내부망은 호출하지 않습니다.",
				"ja": "https、外部から届くこと: プライベートネットワークは呼び出しません。",
			}},
	}}
}
