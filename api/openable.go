package api

import (
	"context"
	"strings"

	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/internal/fault"
)

// openable finds what a hand-opened incident names. A typing error would make a
// service that is down and that nobody has. Assignees are free: who works on an
// incident need not be somebody who logs in.
func (a *API) openable(ctx context.Context, b NewIncident) (any, error) {
	if a.o.Inventory == nil {
		return b, nil
	}
	if b.CI != "" {
		ref, ok := a.o.Inventory.Ref(b.CI)
		if class, name, both := strings.Cut(b.CI, ":"); !ok && both {
			ref, ok = a.o.Inventory.Find(class, name)
		}
		if !ok {
			return nil, fault.Invalidf("ci", "the inventory holds no item %q: give its id, or class:name", b.CI)
		}
		b.CI = ref.ID
	}
	if b.Service != "" {
		known, err := a.knowsService(ctx, b.Service)
		if err != nil {
			return nil, err
		}
		if !known {
			return nil, fault.Invalidf("service", "there is no service %q: /api/v1/services lists them", b.Service)
		}
	}
	return b, nil
}

// knowsService says whether a service is configured, or an item of the inventory.
func (a *API) knowsService(ctx context.Context, name string) (bool, error) {
	for _, s := range a.o.Engine.Rules().Desk.Services {
		if s.Name == name {
			return true, nil
		}
	}
	for _, class := range []string{"business_service", "application", "service"} {
		if _, ok := a.o.Inventory.Find(class, name); ok {
			return true, nil
		}
	}
	// A class of one's own that stands for services names its items as it likes.
	p, err := a.o.Inventory.List(ctx, inventory.ListQuery{Query: `criticality:* name:"` + strings.NewReplacer(`\`, "", `"`, "").Replace(name) + `"`, Limit: 1})
	if err != nil {
		return false, err
	}
	return len(p.Items) > 0 && p.Items[0].Name == name, nil
}
