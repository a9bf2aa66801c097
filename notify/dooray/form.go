package dooray

import (
	"github.com/sangdam/sangdam/notify"
)

// Form implements notify.Describer.
func (*Carrier) Form() notify.Form {
	return notify.Form{Parts: []notify.Part{
		{Name: SecretURL, Type: notify.PartSecret, Required: true,
			Label: notify.Words{"en": "Address of the room's hook", "ko": "대화방 훅 주소", "ja": "ルームのフックアドレス"},
			Hint: notify.Words{
				"en": "Dooray shows it when the room's incoming hook is made. Whoever knows it can write there: it is not shown again.",
				"ko": "두레이에서 대화방의 incoming 훅을 만들 때 보이는 주소입니다. 아는 사람은 누구나 쓸 수 있으므로 다시 표시하지 않습니다.",
				"ja": "Doorayでルームのincomingフックを作るときに表示されます。知っている人は誰でも書き込めるため、再表示しません。",
			}},
		{Name: "bot_name", Type: notify.PartText, Like: "Sangdam",
			Label: notify.Words{"en": "Author's name", "ko": "작성자 이름", "ja": "投稿者名"},
			Hint:  notify.Words{"en": "Shown in the room", "ko": "대화방에 보이는 이름", "ja": "ルームに表示される名前"}},
		{Name: "bot_icon", Type: notify.PartURL, Like: "https://",
			Label: notify.Words{
				"en": "Address of the author's picture",
				"ko": "작성자 그림 주소",
				"ja": "投稿者の画像アドレス",
			}},
	}}
}

// Form implements notify.Describer.
func (*Tasks) Form() notify.Form {
	return notify.Form{Parts: []notify.Part{
		{Name: "project", Type: notify.PartText, Required: true, Leads: true,
			Label: notify.Words{"en": "Project's id", "ko": "프로젝트 ID", "ja": "プロジェクトID"},
			Hint: notify.Words{
				"en": "The number in the project's address",
				"ko": "프로젝트 주소에 있는 숫자",
				"ja": "プロジェクトのアドレスにある数字",
			}},
		{Name: SecretKey, Type: notify.PartSecret, Required: true,
			Label: notify.Words{
				"en": "API key of the representative registrant",
				"ko": "대표 등록자의 API 키",
				"ja": "代表登録者のAPIキー",
			},
			Hint: notify.Words{
				"en": "Tasks are made with it. It is not shown again.",
				"ko": "업무를 만들 때 씁니다. 다시 표시하지 않습니다.",
				"ja": "タスクの作成に使います。再表示しません。",
			}},
		{Name: "to", Type: notify.PartList,
			Label: notify.Words{"en": "Members whom tasks are for", "ko": "업무 담당 멤버", "ja": "タスクの担当メンバー"},
			Hint: notify.Words{
				"en": "Their ids, parted by commas",
				"ko": "멤버 ID, 쉼표로 나눕니다",
				"ja": "メンバーのID、カンマ区切り",
			}},
		{Name: "host", Type: notify.PartText, Like: "api.dooray.com",
			Label: notify.Words{"en": "Host of the API", "ko": "API 호스트", "ja": "APIのホスト"}},
	}}
}
