// Package emukit is what the emulators of providers share and none should write
// again:
//
//   - Transport carries requests to an emulator without a network, Listener
//     connections of other protocols; Unreachable refuses them.
//   - Faults are scripts of what goes wrong with which call; Mishap is what can go
//     wrong with a call of any provider over HTTP, before or after it was taken.
//   - Sender sends events by webhook: signed by the emulator, in order or not, and
//     again where they were not taken.
//   - Record keeps what came and what was given, Memory what a provider knows
//     again by a key; Changes lets a test wait for a condition instead of a time.
//   - Control is the interface by which a page or another program sees and plays
//     customers, Page what a person sees.
//   - Replay plays recorded webhooks, each several times and shuffled.
//   - Main and Serve make a program of an emulator.
//
// The pieces know each other as little as they can: an emulator takes those that
// its provider needs. channel/postcard/postcardtest is the smallest that uses
// them for a provider over HTTP, channel/email/emailtest one of other protocols;
// docs/channels.md says in which order to write one.
package emukit
