package correlator_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
)

// What is a heartbeat is told by its rule, its name and its severity together: its
// presence opens nothing, its silence does.
func TestHeartbeatsAreRecognised(t *testing.T) {
	for _, c := range []struct {
		name, severity, expr string
		beats                bool
	}{
		{"Watchdog", "none", "", true},
		{"DeadMansSwitch", "none", "", true},
		{"DeadMansSnitch", "critical", "", true},
		{"DeadManSwitch", "info", "", true},
		{"PrometheusAlertmanagerE2eDeadManSwitch", "critical", "", true},
		{"AlertmanagerWatchdog", "warning", "", true},
		{"AlwaysFiring", "", "", true},
		{"Heartbeat", "none", "", true},
		{"prometheus-heartbeat", "", "", true},
		{"monitoring_pipeline_alive", "none", "", true},
		{"EverythingIsFine", "critical", "vector(1)", true},
		{"EverythingIsFine", "info", "(vector(1)) > 0", true},
		{"EverythingIsFine", "info", "1", true},
		{"Heartbeat", "critical", "", false}, // it may mean that one is missed
		{"HeartbeatMissing", "critical", "", false},
		{"NodeWatchdogReset", "critical", "", false},
		{"WatchdogTimeout", "none", "", false},
		{"ElasticsearchHeartbeatLost", "warning", "", false},
		{"TargetDown", "critical", "vector(1) unless up", false},
		{"Down", "critical", "up == 0", false},
		{"InfoInhibitor", "none", `ALERTS{severity="info"} == 1 unless on(namespace) ALERTS{alertname!="InfoInhibitor"} == 1`, false},
	} {
		t.Run(c.name+" "+c.severity+" "+c.expr, func(t *testing.T) {
			d := newDesk(t)
			labels := map[string]string{"alertname": c.name, "severity": c.severity}
			if c.severity == "" {
				delete(labels, "severity")
			}
			send := func(at time.Time) {
				n := firing(hour, labels)
				if c.expr != "" {
					n.Alerts[0].GeneratorURL = "http://prometheus:9090/graph?g0.expr=" + url.QueryEscape(c.expr) + "&g0.tab=1"
				}
				d.wait(at)
				d.step(at, n)
			}
			at := hour
			for range 8 {
				send(at)
				at = at.Add(5 * time.Minute)
			}
			if n := len(said[correlator.IncidentOpened](d.said)); c.beats && n != 0 {
				t.Fatalf("its presence opened %d incidents", n)
			}
			d.wait(at.Add(time.Hour))
			missed := false
			for _, o := range said[correlator.IncidentOpened](d.said) {
				missed = missed || o.Why == "the heartbeat "+c.name+" is silent"
			}
			if missed != c.beats {
				t.Errorf("its silence is told: %v, want %v", missed, c.beats)
			}
		})
	}
}

// Severity none speaks to other programs: it opens nothing, and is no company.
func TestSeverityNoneOpensAndJoinsNothing(t *testing.T) {
	d := newDesk(t, twoHosts()...)
	inhibitor := map[string]string{"alertname": "InfoInhibitor", "severity": "none", "instance": "10.0.0.2:9100", "namespace": "shop"}
	for n := range 30 {
		at := hour.Add(time.Duration(n) * time.Hour)
		d.wait(at)
		d.step(at, firing(hour, inhibitor))
	}
	if o := said[correlator.IncidentOpened](d.said); len(o) != 0 {
		t.Fatalf("it opened %+v", o)
	}
	at := hour.Add(30 * time.Hour)
	d.step(at, firing(at, map[string]string{"alertname": "Down", "severity": "critical", "instance": "10.0.0.2:9100"}))
	d.step(at, firing(at, map[string]string{"alertname": "OtherInhibitor", "severity": "NONE", "instance": "10.0.0.2:9100"}))
	d.wait(at.Add(time.Hour))
	for _, name := range []string{"InfoInhibitor", "OtherInhibitor"} {
		if a := d.alert(name); a.Incident != "" || a.Fate != correlator.FateHeld || a.Why == "" {
			t.Errorf("%s is in %q, %s: %s", name, a.Incident, a.Fate, a.Why)
		}
	}
	if a := d.alert("Down"); a.Incident == "" {
		t.Error("the critical alert beside them is in no incident")
	}
	d.step(at.Add(time.Hour), resolved(hour, at.Add(time.Hour), inhibitor))
	if a := d.alert("InfoInhibitor"); a.Status != correlator.AlertResolved {
		t.Errorf("InfoInhibitor is %s", a.Status)
	}
}

// Whoever wants such alerts handled like others says so.
func TestSeverityNoneCanBeMapped(t *testing.T) {
	d := newDesk(t)
	cfg := correlator.DefaultConfig()
	cfg.Severities["none"] = correlator.Critical
	d.s.Configure(cfg)
	d.step(hour, firing(hour, map[string]string{"alertname": "Odd", "severity": "none"}))
	d.wait(hour.Add(time.Minute))
	if o := said[correlator.IncidentOpened](d.said); len(o) != 1 {
		t.Errorf("opened %+v", o)
	}
}
