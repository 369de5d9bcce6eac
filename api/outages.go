package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/watchbill/watchbill/api/filter"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/itsm"
)

// CorrectOutage says what an outage was in truth.
type CorrectOutage struct {
	From   *time.Time `json:"from,omitempty" doc:"Without it: as measured"`
	Until  *time.Time `json:"until,omitempty" doc:"Without it: as measured"`
	None   bool       `json:"none,omitempty" doc:"It was no outage"`
	Reason string     `json:"reason" minLength:"1" maxLength:"2000"`
}

func outagesOf(all []itsm.Outage) order[itsm.Outage] {
	return wholeList("-id", filter.Record[itsm.Outage](), func(o itsm.Outage) string { return o.ID }, all)
}

func (a *API) outageRoutes() {
	handle(a, describedAs(op(http.MethodGet, "/api/v1/outages", "list-outages", "services", "Outages of services, newest first"),
		"Those under way, and those of the last 400 days, as measured and as corrected.\n\n"+outagesOf(nil).doc()),
		func(ctx context.Context, in *Listing) (*reply[Page[itsm.Outage]], error) {
			return page(ctx, a, outagesOf(a.o.Engine.Outages()), *in, asKept)
		})
	handle(a, describedAs(op(http.MethodPost, "/api/v1/outages/{id}/correct", "correct-outage", "services", "Say what an outage was in truth"),
		"Availability follows the correction; what was measured stays beside it."),
		func(ctx context.Context, in *struct {
			ByID
			Body CorrectOutage
		}) (*reply[itsm.Outage], error) {
			args := fold.CorrectArgs{None: in.Body.None, Reason: in.Body.Reason}
			if in.Body.From != nil {
				args.From = *in.Body.From
			}
			if in.Body.Until != nil {
				args.Until = *in.Body.Until
			}
			id, err := a.submit(ctx, "outage", "correct", in.ID, args)
			if err != nil {
				return nil, err
			}
			all := a.o.Engine.Outages()
			n := slices.IndexFunc(all, func(o itsm.Outage) bool { return o.ID == id })
			if n < 0 {
				return nil, fault.NotFoundf("outage %q does not exist", id)
			}
			return &reply[itsm.Outage]{all[n]}, nil
		})
}
