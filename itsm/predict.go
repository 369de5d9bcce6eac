package itsm

import "fmt"

// Awaited is an item that a window was expected to silence, or that it did.
type Awaited struct {
	CI     string `json:"ci"`
	Name   string `json:"name"`
	Alerts int    `json:"alerts"` // suppressed so far
}

// awaitedMost bounds how many items a window's record names.
const awaitedMost = 200

// Predict notes what the window is expected to suppress. What was suppressed
// already stays counted.
func (m *Maintenance) Predict(items []Awaited) {
	seen := map[string]int{}
	for _, x := range m.Expected {
		seen[x.CI] = x.Alerts
	}
	m.ExpectedItems = len(items)
	m.Expected = append([]Awaited{}, items[:min(len(items), awaitedMost)]...)
	for n := range m.Expected {
		m.Expected[n].Alerts = seen[m.Expected[n].CI]
	}
}

// Suppress counts one alert that the window kept back; ci is empty where the alert
// is about no known item.
func (m *Maintenance) Suppress(ci, name string) {
	m.Suppressed++
	for _, list := range []*[]Awaited{&m.Expected, &m.Unexpected} {
		for n := range *list {
			if (*list)[n].CI == ci {
				fresh := append([]Awaited{}, *list...) // the record that was written stays as it is
				fresh[n].Alerts++
				*list = fresh
				return
			}
		}
	}
	if m.ExpectedItems > len(m.Expected) {
		return // it may be one of those that are not named
	}
	if name == "" {
		name = "alerts without a known item"
	}
	m.UnexpectedItems++
	if len(m.Unexpected) < awaitedMost {
		m.Unexpected = append(append([]Awaited{}, m.Unexpected...), Awaited{ci, name, 1})
	}
}

// outcome compares what was expected with what came.
func (m *Maintenance) outcome() string {
	came := 0
	for _, x := range m.Expected {
		if x.Alerts > 0 {
			came++
		}
	}
	text := fmt.Sprintf("%d alerts were suppressed: %d of %d expected items alerted", m.Suppressed, came, m.ExpectedItems)
	if m.UnexpectedItems > 0 {
		text += fmt.Sprintf(", and %d unexpected: %s", m.UnexpectedItems, m.Unexpected[0].Name)
		if m.UnexpectedItems > 1 {
			text += ", ..."
		}
	}
	return text
}
