package main

import (
	"fmt"
	"strings"

	"github.com/watchbill/watchbill/api"
)

type problemCmd struct {
	List       problemListCmd         `cmd:"" help:"List problems, newest first."`
	Show       problemShowCmd         `cmd:"" help:"Show one problem with its incidents."`
	Create     createCmd[newProblem]  `cmd:"" help:"Open a problem by hand."`
	Assess     verbCmd[reasonFlags]   `cmd:"" help:"Somebody looks at it."`
	RootCause  verbCmd[reasonFlags]   `cmd:"" help:"Look for the cause."`
	Fix        verbCmd[causeFlags]    `cmd:"" help:"The cause is known and being mended."`
	Resolve    verbCmd[mendFlags]     `cmd:"" help:"It is mended; it closes when it does not come back."`
	Close      verbCmd[reasonFlags]   `cmd:"" help:"Close before the time of proof; wants --reason."`
	Reopen     verbCmd[reasonFlags]   `cmd:"" help:"It was not mended."`
	KnownError verbCmd[knownFlags]    `cmd:"" help:"The cause or a workaround is known; shown on each incident of it."`
	Workaround verbCmd[aroundFlags]   `cmd:"" help:"What helps until the cause is mended; shown on each incident of it."`
	Software   verbCmd[versionFlags]  `cmd:"" help:"Bind it to a version: it resolves when that has arrived everywhere, and reopens where it is taken back."`
	Assign     verbCmd[assignFlags]   `cmd:"" help:"Give it to a person or a team."`
	Edit       verbCmd[problemEdit]   `cmd:"" help:"Change title, description, priority or root cause."`
	Link       verbCmd[incidentFlags] `cmd:"" help:"An incident belongs to it."`
	Unlink     verbCmd[incidentFlags] `cmd:"" help:"An incident does not belong to it."`
	Note       noteCmd                `cmd:"" help:"Write on the timeline."`
}

type newProblem struct {
	Title       string     `name:"title" json:"title" required:"" placeholder:"TEXT" help:"What keeps happening, in a few words."`
	Description string     `name:"description" json:"description,omitempty" placeholder:"TEXT" help:"More words."`
	Priority    int        `name:"priority" json:"priority,omitempty" placeholder:"1-5" help:"1 critical to 5 planning; without it 3, or the gravest incident's."`
	Assignee    string     `name:"assignee" json:"assignee,omitempty" placeholder:"USER" help:"Who works on it."`
	Team        string     `name:"team" json:"team,omitempty" placeholder:"TEAM" help:"Which team works on it."`
	Incidents   []recordID `name:"incident" json:"incidents,omitempty" placeholder:"ID" help:"An incident that it explains; may be repeated."`
}

// What the verbs of a problem take.
type (
	causeFlags struct {
		RootCause string `name:"root-cause" json:"root_cause,omitempty" placeholder:"TEXT" help:"What makes it happen."`
		reasonFlags
	}
	mendFlags struct {
		Fix       string `name:"fix" json:"fix,omitempty" placeholder:"TEXT" help:"What was done."`
		RootCause string `name:"root-cause" json:"root_cause,omitempty" placeholder:"TEXT" help:"What made it happen."`
		noteFlags
	}
	knownFlags struct {
		KnownError bool   `name:"known" json:"known_error" default:"true" negatable:"" help:"--no-known takes it back."`
		RootCause  string `name:"root-cause" json:"root_cause,omitempty" placeholder:"TEXT" help:"What makes it happen."`
		Workaround string `name:"workaround" json:"workaround,omitempty" placeholder:"TEXT" help:"What helps meanwhile."`
		reasonFlags
	}
	aroundFlags struct {
		Workaround string `name:"workaround" json:"workaround" required:"" placeholder:"TEXT" help:"What helps."`
		noteFlags
	}
	versionFlags struct {
		Product   string   `name:"product" json:"product" required:"" placeholder:"NAME" help:"The package, or the service or workload that is deployed."`
		FixedIn   string   `name:"fixed-in" json:"fixed_in" required:"" placeholder:"VERSION" help:"The first version without the defect."`
		Ecosystem string   `name:"ecosystem" json:"ecosystem,omitempty" placeholder:"NAME" help:"Whose rules order its versions: deb, rpm, apk, npm, pypi, ..."`
		CIs       []string `name:"ci" json:"items,omitempty" placeholder:"ITEM" help:"Item that needs it, by id or class:name; may be repeated. Without any, the suspected causes of its incidents."`
		reasonFlags
	}
	problemEdit struct {
		Title       string `name:"title" json:"title,omitempty" placeholder:"TEXT" help:"What keeps happening."`
		Description string `name:"description" json:"description,omitempty" placeholder:"TEXT" help:"More words."`
		Priority    int    `name:"priority" json:"priority,omitempty" placeholder:"1-5" help:"1 critical to 5 planning."`
		causeFlags
	}
	incidentFlags struct {
		Incident recordID `name:"incident" json:"incident" required:"" placeholder:"ID" help:"Which incident."`
		Reason   string   `name:"reason" json:"reason,omitempty" placeholder:"TEXT" help:"Why."`
	}
)

type problemListCmd struct {
	listFlags
	show
	remote
}

// Run implements kong's command.
func (c *problemListCmd) Run(io streams) error {
	return showList(c.remote, c.show, io, "/api/v1/problems", c.listFlags, []string{"ID", "PRIORITY", "STATE", "INCIDENTS", "LAST", "KNOWN", "TITLE"},
		func(p api.ProblemRecord) []string {
			known := "-"
			if p.KnownError {
				known = "yes"
			}
			return []string{p.ID, fmt.Sprint(p.Priority), string(p.State), fmt.Sprint(p.Incidents), age(p.LastAt), known, cut(p.Title, 60)}
		})
}

type problemShowCmd struct {
	ID recordID `arg:"" help:"The problem, e.g. PRB00000001."`
	show
	remote
}

// Run implements kong's command.
func (c *problemShowCmd) Run(io streams) error {
	path := "/api/v1/problems/" + c.ID.path()
	return showOne(c.remote, c.show, io, path, func(p api.ProblemRecord) error {
		r := &report{w: io.out}
		r.printf("%s  %s\n\n", p.ID, p.Title)
		r.field("state", "%s", string(p.State))
		r.field("priority", "%d", p.Priority)
		r.field("opened", "%s by %s%s", stamp(p.OpenedAt), p.OpenedBy, prefixed(": ", p.Why))
		r.field("assigned to", "%s", strings.Trim(p.Assignee+", "+p.Team, ", "))
		if p.KnownError {
			r.field("known error", "yes")
		}
		r.field("root cause", "%s", p.RootCause)
		r.field("workaround", "%s", p.Workaround)
		r.field("fix", "%s", p.Fix)
		if w := p.Software; w != nil {
			r.field("mended by", "%s %s, missing on %d of %d items%s", w.Product, w.FixedIn, len(w.Pending), len(w.Items), prefixed(": ", cut(strings.Join(w.Pending, ", "), 200)))
		}
		r.field("resolved", "%s", stampOf(p.ResolvedAt))
		r.field("closed", "%s", stampOf(p.ClosedAt))
		r.field("possible now", "%s", strings.Join(p.Legal, ", "))
		cl, err := c.client()
		if err != nil {
			return err
		}
		ctx, stop := interrupted()
		defer stop()
		incidents, err := list[api.Incident](ctx, cl, path+"/incidents", nil, 20)
		if err != nil {
			return err
		}
		timeline, err := list[api.TimelineEntry](ctx, cl, path+"/timeline", nil, 0)
		if err != nil {
			return err
		}
		r.printf("\nIncidents: %d\n", p.Incidents)
		for _, i := range incidents.Items {
			r.printf("  %s  %s  %s  %s\n", i.ID, stamp(i.OpenedAt), i.State, i.Title)
		}
		r.printf("\nTimeline\n")
		for _, e := range timeline.Items {
			r.printf("  %s  %-13s %s: %s\n", stamp(e.At), e.Kind, e.Actor, e.Text)
		}
		return r.err
	})
}
