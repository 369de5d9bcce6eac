package inventory

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
)

// TestBothWaysOfSortingAgree: a page by way of a field's values is the page that
// comparing every item gives, for fields with one value, several and none.
func TestBothWaysOfSortingAgree(t *testing.T) {
	l := newLab(t)
	var lines []Line
	for i := range 120 {
		a := cmdb.Attributes{}
		if i%5 > 0 {
			a["memory_bytes"] = float64(i%7) * 1.5
		}
		if i%4 > 0 {
			a["disk_serials"] = []string{fmt.Sprintf("d%d", i%11), fmt.Sprintf("a%d", i%3)}
		}
		if i%3 > 0 {
			a["owner"] = []string{"eve", "10", "9", "-3", "Bob"}[i%5]
		}
		lines = append(lines, Line{CI: &Item{Class: "rack", Name: fmt.Sprintf("r%03d", i*37%120), Attributes: a}})
	}
	if bad, err := l.Import(context.Background(), lines, "import"); err != nil || len(bad) > 0 {
		t.Fatal(bad, err)
	}
	set, err := l.matching("class:rack")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		field := rapid.SampledFrom([]string{"memory_bytes", "disk_serials", "owner"}).Draw(t, "field")
		order := sortOrder(rapid.Bool().Draw(t, "down"))
		limit := rapid.IntRange(1, 130).Draw(t, "limit")
		key, err := l.sortKey(field)
		if err != nil {
			t.Fatal(err)
		}
		all := newTop(1000, order)
		for it := set.Iterator(); it.HasNext(); {
			o := it.Next()
			all.add(sortItem{key(o), l.mem.entries[o].id})
		}
		want := all.sorted()
		from := rapid.IntRange(-1, len(want)-1).Draw(t, "from")
		cursor := sortItem{}
		if from >= 0 {
			cursor = want[from]
		}
		want = want[from+1:]
		want = want[:min(limit, len(want))]
		got := l.mem.byValues(set, l.mem.columns[field], order, limit, from >= 0, cursor).sorted()
		if !slices.Equal(got, want) {
			t.Fatalf("got %v\nwant %v", got, want)
		}
	})
}

// TestSoftwareInEveryOrder: each order lists every product once, page by page, and
// hosts are counted once however many versions they have.
func TestSoftwareInEveryOrder(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	for i := range 6 {
		b := l.box(fmt.Sprintf("m-%d", i), i+1)
		for p := range 5 - i%5 {
			b.rep.Packages = append(b.rep.Packages, report.Package{Type: "deb", Name: fmt.Sprintf("lib-%d", p), Version: fmt.Sprintf("1.%d", i)}, report.Package{Type: "deb", Name: fmt.Sprintf("lib-%d", p), Version: "0.9"})
		}
		b.rep.Packages = append(b.rep.Packages, report.Package{Type: "npm", Name: "lib-1", Version: "1"})
		b.enroll().send()
	}
	for _, q := range []SoftwareQuery{{}, {Sort: "-name"}, {Sort: "hosts"}, {Sort: "-hosts"}, {Sort: "-hosts", CIs: "name:m-1,m-2"}, {CIs: "name:m-3"}, {Sort: "hosts", Type: "npm"}} {
		whole := q
		whole.Limit = 1000
		want, next, err := l.Software(ctx, whole)
		if err != nil || next != "" || len(want) == 0 {
			t.Fatalf("%+v: %v %q %v", q, want, next, err)
		}
		ordered := slices.IsSortedFunc(want, func(a, b Product) int {
			switch q.Sort {
			case "-name":
				return -compareText(a.Name+" "+a.Type, b.Name+" "+b.Type)
			case "hosts":
				return a.Hosts - b.Hosts
			case "-hosts":
				return b.Hosts - a.Hosts
			}
			return compareText(a.Name+" "+a.Type, b.Name+" "+b.Type)
		})
		var got []Product
		for q.Limit = 2; ; {
			page, next, err := l.Software(ctx, q)
			if err != nil || len(page) > 2 {
				t.Fatal(page, err)
			}
			got = append(got, page...)
			if q.Cursor = next; next == "" {
				break
			}
		}
		if !ordered || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v: pages %v\nwhole %v", q, got, want)
		}
	}
	for _, bad := range []SoftwareQuery{{Sort: "age"}, {Sort: "hosts", Cursor: encodeCursor("adduser", "deb")}, {Cursor: "%"}, {CIs: "ower:x"}} {
		if _, _, err := l.Software(ctx, bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
