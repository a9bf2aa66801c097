package routing_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam/routing"
)

func TestAnItemNamesItsSubject(t *testing.T) {
	for _, s := range []routing.Subject{{Kind: routing.SubjectConversation, ID: "0190-a"}, {Kind: routing.SubjectTicket, ID: "0190-b"},
		{Kind: "order", ID: "a/b"}} {
		require.Equal(t, s, s.Item().Subject())
	}
	require.Equal(t, routing.ItemID("0190-a"), routing.Subject{Kind: routing.SubjectConversation, ID: "0190-a"}.Item(),
		"a conversation's item has its id")
}
