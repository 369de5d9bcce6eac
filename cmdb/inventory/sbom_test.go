package inventory

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/fault"
)

// schema is CycloneDX's own, from the library's module.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatalf("find the schema's module: %v", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "schema")
	c := jsonschema.NewCompiler()
	for url, file := range map[string]string{
		"http://cyclonedx.org/schema/bom-1.6.schema.json": "bom-1.6.schema.json", "http://cyclonedx.org/schema/spdx.schema.json": "spdx.schema.json",
		"http://cyclonedx.org/schema/jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		f, err := os.Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(url, doc); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSBOMFollowsItsSchema(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	s := schema(t)
	a := l.box("web-1", 1)
	a.rep.Packages[0].PURL = "pkg:deb/debian/openssl@3.0.11-1?arch=amd64"
	a.rep.Packages = append(a.rep.Packages, report.Package{Type: "pypi", Name: "flask", Version: "3.0", PURL: "pkg:pypi/flask@3.0", Location: "/opt/app"})
	a.enroll().send()
	for _, of := range []string{a.ci, l.id("ssh@web-1")} {
		var b bytes.Buffer
		if err := l.SBOM(ctx, of, &b); err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("the bill does not follow CycloneDX' schema: %v", err)
		}
		var bom struct {
			SpecVersion string
			Components  []struct{ Name, Version, PURL string }
		}
		if err := json.Unmarshal(b.Bytes(), &bom); err != nil || bom.SpecVersion != "1.6" || !strings.Contains(b.String(), "pkg:pypi/flask@3.0") || len(bom.Components) < 4 {
			t.Errorf("%v %+v", err, bom)
		}
	}
	site := l.upsert(Item{Class: "site", Name: "ams"}, "import")
	if err := l.SBOM(ctx, site.ID, &bytes.Buffer{}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a site has no software: %v", err)
	}
}
