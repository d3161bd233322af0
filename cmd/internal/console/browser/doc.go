// Package browser drives rotator's console with a real browser, against the local stack as make local runs it. Its test
// is built by make browser only, so that nothing claims it passed where there is no browser.
package browser
