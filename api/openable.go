package api

import (
	"context"
	"errors"
	"fmt"
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
		id, err := a.item("ci", b.CI)
		if err != nil {
			return nil, err
		}
		b.CI = id
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

// item returns the id of an item that a field names by its id, or as class:name.
func (a *API) item(field, named string) (string, error) {
	ref, ok := a.o.Inventory.Ref(named)
	if class, name, both := strings.Cut(named, ":"); !ok && both {
		ref, ok = a.o.Inventory.Find(class, name)
	}
	if !ok {
		return "", fault.Invalidf(field, "the inventory holds no item %q: give its id, or class:name", named)
	}
	return ref.ID, nil
}

// complete finds the items that a version is needed on: one that does not exist would
// lack it for ever.
func (b *softwareArgs) complete(a *API) error {
	if a.o.Inventory == nil {
		return nil
	}
	var wrong fault.List
	for n, named := range b.Items {
		id, err := a.item(fmt.Sprintf("items[%d]", n), named)
		var one *fault.Error
		if errors.As(err, &one) {
			wrong = append(wrong, one)
			continue
		}
		b.Items[n] = id
	}
	return wrong.Err()
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
