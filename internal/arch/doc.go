// Package arch holds the tests that keep the shape of the module: which
// package may import which, what the domain packages must not do, what every
// public name needs. The rules are data (rules_test.go) with the reason that is
// printed when one is broken; docs/design.md, section 2, is where they come
// from. A rule that names a package which is gone fails as well.
package arch
