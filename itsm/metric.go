package itsm

// The names of what is measured, without the prefix "watchbill_".
const (
	MOpened          = "incidents_opened_total"
	MDetection       = "incident_detection_seconds"
	MAcknowledgement = "incident_acknowledgement_seconds"
	MFirstResponse   = "incident_first_response_seconds"
	MRepair          = "incident_repair_seconds"
	MRecovery        = "incident_recovery_seconds"
	MResponse        = "incident_response_seconds"
	MResolution      = "incident_resolution_seconds"
	MReopened        = "incidents_reopened_total"
	MReopenedLate    = "incidents_reopened_late_total"
	MRecurring       = "incidents_recurring_total"
	MCanceled        = "incidents_canceled_total"
	MMerged          = "incidents_merged_total"
	MExpired         = "incidents_expired_total"
	MFirstContact    = "incidents_first_contact_resolved_total"
	MPriorityChanged = "incident_priority_changes_total"

	MProblemsOpened    = "problems_opened_total"
	MProblemResolution = "problem_resolution_seconds"
	MProblemsReopened  = "problems_reopened_total"

	MSLA             = "sla_results_total"
	MServiceFailures = "service_failures_total"
	MServiceDowntime = "service_downtime_seconds_total"

	// MMoved measures nothing: it says to which services and team an open incident
	// belongs from now on, or since when it counts as open, for the backlog; or, of a
	// service, since when it is down, where From is zero that it is not.
	MMoved = "incident_moved"
	// MCorrected says what an outage that was measured was in truth; Result is "none"
	// where it was no outage.
	MCorrected = "service_outage_corrected"
)

// Metric declares one measured quantity. /metrics, the KPI report and docs/kpis.md
// all follow this list, so that none of them can know another definition.
type Metric struct {
	Name    string
	Clock   bool // a duration, kept as a distribution; else a count that is added up
	Labels  []string
	Help    string
	Formula string
	Source  string // what of the event log it is taken from
}

var byPriority = []string{"priority"}

// Metrics lists what the event log measures.
func Metrics() []Metric {
	return []Metric{
		{MOpened, false, byPriority, "Incidents opened.", "count of openings", "incident opened by the correlator or by hand"},
		{MDetection, true, byPriority, "Time from the first symptom to the incident (MTTD).", "opened − onset; onset is the earliest startsAt less the rule's for", "incident opened"},
		{MAcknowledgement, true, byPriority, "Time from the incident to its acknowledgement by a person (MTTA).", "acknowledged − opened; incidents that nobody acknowledged are shown by age instead", "the first person's acknowledge, hold or resolve"},
		{MFirstResponse, true, byPriority, "Time from the incident to the first act of any person on it.", "first verb of a person − opened", "any verb of a person"},
		{MRepair, true, byPriority, "Time from the start of work to restoration (MTTR, repair).", "restored − work started, where work started first", "hold-down over after all alerts cleared, or resolved by hand"},
		{MRecovery, true, byPriority, "Time from the first symptom to restoration (MTTR, recovery).", "restored − onset", "hold-down over after all alerts cleared, or resolved by hand"},
		{MResponse, true, byPriority, "Time from the incident to restoration (MTTR, respond).", "restored − opened", "hold-down over after all alerts cleared, or resolved by hand"},
		{MResolution, true, byPriority, "Time from the incident to its resolution (MTTR, resolve).", "resolved − opened; a reopened incident counts at each resolution", "incident resolved"},
		{MReopened, false, byPriority, "Incidents reopened within 7 days of their resolution.", "count of reopenings", "incident reopened"},
		{MReopenedLate, false, byPriority, "Incidents reopened later than 7 days after their resolution.", "count of late reopenings; outside the reopen rate", "incident reopened"},
		{MRecurring, false, byPriority, "Incidents whose cause and alerts were seen before within 30 days.", "count of incidents with an earlier one of the same signature", "recognised by the correlator"},
		{MCanceled, false, byPriority, "Incidents canceled.", "count of cancellations", "incident canceled"},
		{MMerged, false, byPriority, "Incidents merged into another.", "count of merges", "incident merged"},
		{MExpired, false, byPriority, "Incidents that ended because their alerts were heard of no more.", "count of resolutions without proof of recovery; outside the resolutions and their clocks", "incident resolved after an alert expired"},
		{MFirstContact, false, byPriority, "Incidents resolved by the first person who responded, within an hour, without hold, handing over or reopening.", "count", "incident resolved by hand"},
		{MPriorityChanged, false, byPriority, "Changes of priority, counted under the new one.", "count of changes", "reassessment or override"},
		{MProblemsOpened, false, nil, "Problems opened.", "count of openings", "recurrence or by hand"},
		{MProblemResolution, true, nil, "Time from a problem to its resolution.", "resolved − opened", "problem resolved"},
		{MProblemsReopened, false, nil, "Problems reopened because they came back.", "count of reopenings", "a new incident of a resolved problem, or by hand"},
		{MSLA, false, []string{"sla", "result"}, "Ends of service level clocks. A breach counts when it happens; a result that a reopening undid counts again as withdrawn.", "count of ends; the compliance is computed by clocks, each once, in the period in which it was due", "replay of the incident's log over the calendar"},
		{MServiceFailures, false, []string{"service"}, "Unplanned outages of a service, counted when they end.", "count of times at which the last incident that counted as an outage ended", "incidents on the service"},
		{MServiceDowntime, false, []string{"service"}, "Agreed time in which a service had an unplanned outage, counted when the outage ends.", "union of the outages within the service's hours", "incidents on the service"},
	}
}

// SLAResults are the ends of a service level's clock.
func SLAResults() []string { return []string{Met, Breached, CanceledClock, Withdrawn} }

// The results of a service level's clock.
const (
	Met           = "met"
	Breached      = "breached"
	CanceledClock = "canceled"  // not met and not breached: stays out of compliance
	Withdrawn     = "withdrawn" // a reopening undid a result that was met
)
