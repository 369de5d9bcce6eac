package api

import "github.com/watchbill/watchbill/api/auth"

// access says who may call a route.
type access struct {
	// role is the weakest human role, or the machine role, that may call.
	role auth.Role
	// public routes need no credential: they tell nothing about the installation.
	public bool
	// operations routes need no credential where the server listens on loopback
	// only: a peer address proves nothing behind a proxy, the listen address does.
	operations bool
}

func from(r auth.Role) access { return access{role: r} }

// routes is the one table of who may call what. A pattern that is missing here
// is not served, and a test compares it with the OpenAPI document route by route.
var routes = map[string]access{
	// Machines.
	"POST /api/v1/ingest/alertmanager": from(auth.Ingest),
	"POST /api/v1/ingest/changes":      from(auth.Ingest),
	"POST /api/v1/agent/enroll":        from(auth.Agent),
	"POST /api/v1/agent/reports":       from(auth.Agent),

	// Records, to read.
	"GET /api/v1/incidents":                    from(auth.Viewer),
	"GET /api/v1/incidents/{id}":               from(auth.Viewer),
	"GET /api/v1/incidents/{id}/alerts":        from(auth.Viewer),
	"GET /api/v1/incidents/{id}/timeline":      from(auth.Viewer),
	"GET /api/v1/alerts":                       from(auth.Viewer),
	"GET /api/v1/alerts/{id}":                  from(auth.Viewer),
	"GET /api/v1/problems":                     from(auth.Viewer),
	"GET /api/v1/problems/{id}":                from(auth.Viewer),
	"GET /api/v1/problems/{id}/timeline":       from(auth.Viewer),
	"GET /api/v1/problems/{id}/incidents":      from(auth.Viewer),
	"GET /api/v1/cis":                          from(auth.Viewer),
	"GET /api/v1/cis/export":                   from(auth.Viewer),
	"GET /api/v1/cis/{id}":                     from(auth.Viewer),
	"GET /api/v1/cis/{id}/sections/{section}":  from(auth.Viewer),
	"GET /api/v1/cis/{id}/history":             from(auth.Viewer),
	"GET /api/v1/cis/{id}/graph":               from(auth.Viewer),
	"GET /api/v1/cis/{id}/impact":              from(auth.Viewer),
	"GET /api/v1/cis/complete":                 from(auth.Viewer),
	"GET /api/v1/cis/{id}/past":                from(auth.Viewer),
	"GET /api/v1/cis/{id}/diff":                from(auth.Viewer),
	"GET /api/v1/cis/{id}/single-points":       from(auth.Viewer),
	"GET /api/v1/cis/{id}/health":              from(auth.Viewer),
	"GET /api/v1/cis/{id}/sbom":                from(auth.Viewer),
	"GET /api/v1/quality":                      from(auth.Viewer),
	"GET /api/v1/coverage":                     from(auth.Viewer),
	"GET /api/v1/endings":                      from(auth.Viewer),
	"GET /api/v1/costs":                        from(auth.Viewer),
	"GET /api/v1/merges":                       from(auth.Viewer),
	"GET /api/v1/service-proposals":            from(auth.Viewer),
	"GET /api/v1/views":                        from(auth.Viewer),
	"PUT /api/v1/views/{name}":                 from(auth.Viewer),
	"DELETE /api/v1/views/{name}":              from(auth.Viewer),
	"GET /api/v1/maintenance":                  from(auth.Viewer),
	"GET /api/v1/maintenance/{id}":             from(auth.Viewer),
	"GET /api/v1/maintenance/{id}/timeline":    from(auth.Viewer),
	"GET /api/v1/incidents/{id}/review":        from(auth.Viewer),
	"GET /api/v1/incidents/{id}/notifications": from(auth.Viewer),
	"GET /api/v1/classes":                      from(auth.Viewer),
	"GET /api/v1/software":                     from(auth.Viewer),
	"GET /api/v1/tasks":                        from(auth.Viewer),
	"GET /api/v1/services":                     from(auth.Viewer),
	"GET /api/v1/sources":                      from(auth.Viewer),
	"GET /api/v1/stream":                       from(auth.Viewer),
	"GET /api/v1/kpis":                         from(auth.Viewer),
	"GET /api/v1/status":                       from(auth.Viewer),
	"GET /api/v1/quarantine":                   from(auth.Responder),
	"GET /api/v1/hygiene":                      from(auth.Viewer),
	"GET /api/v1/teachings":                    from(auth.Viewer),
	"GET /api/v1/teachings/{id}":               from(auth.Viewer),
	"GET /api/v1/audit":                        from(auth.Manager),

	// People's verbs.
	"POST /api/v1/incidents":                  from(auth.Responder),
	"PATCH /api/v1/incidents/{id}":            from(auth.Responder),
	"POST /api/v1/incidents/{id}/acknowledge": from(auth.Responder),
	"POST /api/v1/incidents/{id}/assign":      from(auth.Responder),
	"POST /api/v1/incidents/{id}/hold":        from(auth.Responder),
	"POST /api/v1/incidents/{id}/resume":      from(auth.Responder),
	"POST /api/v1/incidents/{id}/resolve":     from(auth.Responder),
	"POST /api/v1/incidents/{id}/close":       from(auth.Responder),
	"POST /api/v1/incidents/{id}/reopen":      from(auth.Responder),
	"POST /api/v1/incidents/{id}/cancel":      from(auth.Responder),
	"POST /api/v1/incidents/{id}/notes":       from(auth.Responder),
	"POST /api/v1/incidents/{id}/merge":       from(auth.Responder),
	"POST /api/v1/incidents/{id}/split":       from(auth.Responder),
	"POST /api/v1/incidents/{id}/major":       from(auth.Responder),
	"POST /api/v1/incidents/{id}/minor":       from(auth.Responder),
	"POST /api/v1/problems":                   from(auth.Responder),
	"PATCH /api/v1/problems/{id}":             from(auth.Responder),
	"POST /api/v1/problems/{id}/assess":       from(auth.Responder),
	"POST /api/v1/problems/{id}/root_cause":   from(auth.Responder),
	"POST /api/v1/problems/{id}/fix":          from(auth.Responder),
	"POST /api/v1/problems/{id}/resolve":      from(auth.Responder),
	"POST /api/v1/problems/{id}/close":        from(auth.Responder),
	"POST /api/v1/problems/{id}/reopen":       from(auth.Responder),
	"POST /api/v1/problems/{id}/known_error":  from(auth.Responder),
	"POST /api/v1/problems/{id}/workaround":   from(auth.Responder),
	"POST /api/v1/problems/{id}/assign":       from(auth.Responder),
	"POST /api/v1/problems/{id}/notes":        from(auth.Responder),
	"POST /api/v1/problems/{id}/software":     from(auth.Responder),
	"POST /api/v1/problems/{id}/link":         from(auth.Responder),
	"POST /api/v1/problems/{id}/unlink":       from(auth.Responder),
	"POST /api/v1/cis":                        from(auth.Manager),
	"PATCH /api/v1/cis/{id}":                  from(auth.Manager),
	"DELETE /api/v1/cis/{id}":                 from(auth.Manager),
	"POST /api/v1/relations":                  from(auth.Manager),
	"POST /api/v1/tasks/{id}/close":           from(auth.Manager),
	"POST /api/v1/cis/edit":                   from(auth.Manager),
	"POST /api/v1/cis/csv":                    from(auth.Manager),
	"POST /api/v1/merges":                     from(auth.Manager),
	"DELETE /api/v1/merges/{id}":              from(auth.Manager),
	"POST /api/v1/services":                   from(auth.Manager),
	"POST /api/v1/maintenance":                from(auth.Responder),
	"POST /api/v1/maintenance/{id}/cancel":    from(auth.Responder),
	"POST /api/v1/maintenance/{id}/end":       from(auth.Responder),
	"POST /api/v1/maintenance/{id}/extend":    from(auth.Responder),
	"POST /api/v1/maintenance/{id}/cover":     from(auth.Responder),
	"POST /api/v1/teachings":                  from(auth.Responder),
	"DELETE /api/v1/teachings/{id}":           from(auth.Responder),
	"PUT /api/v1/incidents/{id}/review":       from(auth.Responder),
	"POST /api/v1/import":                     from(auth.Manager),

	// Credentials.
	"GET /api/v1/tokens":            from(auth.Admin),
	"POST /api/v1/tokens":           from(auth.Admin),
	"DELETE /api/v1/tokens/{id}":    from(auth.Admin),
	"POST /api/v1/sources":          from(auth.Admin),
	"GET /api/v1/users":             from(auth.Manager),
	"POST /api/v1/users":            from(auth.Admin),
	"GET /api/v1/users/{name}":      from(auth.Manager),
	"PATCH /api/v1/users/{name}":    from(auth.Admin),
	"DELETE /api/v1/users/{name}":   from(auth.Admin),
	"POST /api/v1/login-links":      from(auth.Admin),
	"POST /api/v1/login":            {public: true},
	"POST /api/v1/logout":           from(auth.Viewer),
	"GET /api/v1/session":           from(auth.Viewer),
	"POST /api/v1/session/password": from(auth.Viewer),
	"GET /acknowledge/{id}":         {public: true}, // the signature in the link is the credential
	"POST /acknowledge/{id}":        {public: true},
	"GET /login/{code}":             {public: true},

	// Operations.
	"GET /api/v1/backup": from(auth.Admin),
	"GET /api/v1/export": from(auth.Admin),
	"GET /metrics":       {role: auth.Viewer, operations: true},
	"GET /-/healthy":     {role: auth.Viewer, operations: true},
	"GET /-/ready":       {role: auth.Viewer, operations: true},
	"POST /-/reload":     from(auth.Admin),
	"GET /openapi.json":  {public: true},
	"GET /docs":          {public: true},
	"GET /docs/{file}":   {public: true},
}
