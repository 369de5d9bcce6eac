// Written by scripts/client.mjs from the server's OpenAPI document; not by hand.
export interface paths {
    "/-/healthy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The process runs
         * @description Needs no credential where the server listens on loopback; otherwise role viewer.
         */
        get: operations["healthy"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/-/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The server can serve: 200, or 503 with the reason
         * @description Needs no credential where the server listens on loopback; otherwise role viewer.
         */
        get: operations["ready"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/-/reload": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Read the configuration anew
         * @description 400 with every mistake where it does not load; the old one stays in force then.
         *
         *     Role: admin.
         */
        post: operations["reload"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agent/enroll": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Trade a join token for a credential bound to one item
         * @description Wants a token of role agent that is bound to nothing, within its limits. Every earlier credential of that item ends. Who comes under the identity of a machine whose agent reports, without that agent's credential in previous, gets an item of its own and takes over nothing; a task asks a person. 409: the identifiers belong to two machines; a task asks a person.
         *
         *     Role: agent.
         */
        post: operations["enroll-agent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/agent/reports": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Receive one report of an agent
         * @description Wants the credential that enrolment gave: it can report for its own item only. Sections that did not change come as hashes.
         *
         *     Role: agent.
         */
        post: operations["report-agent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/alerts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List every received alert with its fate
         * @description Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: attached_at (time); binding.ci; binding.class; binding.everywhere (yes or no); binding.evidence; binding.label; binding.name; binding.place (yes or no); binding.score; binding.value; bound (yes or no); canonical; ci (id or name); clamped (yes or no); end_why; ends_at (time); fate (incident, duplicate, resolve, suppressed, held, invalid; also where a held one ended); final_fate (incident, duplicate, resolve, suppressed, held, invalid); final_why; fingerprint; first_received (time); generator_url; held (yes: waits now); id; incident; last_received (time); name (alertname); onset (time); receipts; received (time of the last receipt); severity (critical, error, warning, info); source; started (time); starts_at (time); status (firing, resolved, expired, stale, superseded; active is firing or stale); why (the reason of its fate, in words: why:"*disk swap*"); annotation.NAME; annotations.NAME; label.NAME; labels.NAME.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it -id.
         *
         *     Role: viewer.
         */
        get: operations["list-alerts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/alerts/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One alert, with its fate, why, and evidence
         * @description Role: viewer.
         */
        get: operations["get-alert"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Every privileged act, newest first
         * @description Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: actor; after; args; at (time); before; kind; position; record; refused (yes, no, or the reason); remote; verb.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it -at.
         *
         *     Role: manager.
         */
        get: operations["list-audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All of the audit that matches, newest first
         * @description JSON lines, or CSV with format=csv. Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: actor; after; args; at (time); before; kind; position; record; refused (yes, no, or the reason); remote; verb.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it -at.
         *
         *     Role: manager.
         */
        get: operations["export-audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/backup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A consistent copy of everything, while the server runs
         * @description Gzip; `watchbill restore` reads it. A copy that broke off is no whole gzip stream and is refused there.
         *
         *     Role: admin.
         */
        get: operations["backup"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cis": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List configuration items
         * @description Filter (q): the inventory's query language, e.g. `class:host os:debian software:openssl<3.0.14 owner:team-a seen<24h not tag:lab`. Terms stand side by side and all must hold; or and parentheses are there; FIELD:* means any value; * in a value is any text; a bare word is looked for in names, aliases and addresses. Errors name the place. /api/v1/classes lists classes and fields.
         *
         *     Order (sort): name (the default), class, seen, first_seen or an attribute; a minus turns it round.
         *
         *     Role: viewer.
         */
        get: operations["list-cis"];
        put?: never;
        /**
         * Record an item by hand; one that is known by its identifiers, or class and name, is edited
         * @description Role: manager.
         */
        post: operations["create-ci"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cis/complete": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How a query may go on at a position
         * @description Role: viewer.
         */
        get: operations["complete-query"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cis/csv": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Import items from CSV, or with dry_run tell line by line what would happen
         * @description Columns are class, name, id, tags, label.NAME or fields; an empty cell says nothing. Each line is taken whole or not at all.
         *
         *     Role: manager.
         */
        post: operations["import-cis"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cis/edit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Change every item that matches, or with dry_run tell what would change
         * @description Role: manager.
         */
        post: operations["edit-cis"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cis/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Every item that matches, as CSV or JSON lines
         * @description Filter (q): the inventory's query language, e.g. `class:host os:debian software:openssl<3.0.14 owner:team-a seen<24h not tag:lab`. Terms stand side by side and all must hold; or and parentheses are there; FIELD:* means any value; * in a value is any text; a bare word is looked for in names, aliases and addresses. Errors name the place. /api/v1/classes lists classes and fields.
         *
         *     Role: viewer.
         */
        get: operations["export-cis"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cis/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One item: attributes with their sources, liveness, completeness, sections
         * @description Role: viewer.
         */
        get: operations["get-ci"];
        put?: never;
        post?: never;
        /**
         * Remove an item with what was found on it; its history stays, its agent's credential ends
         * @description 409: it reports and would come back as a new item, or others stand in it; force removes it all the same.
         *
         *     Role: manager.
         */
        delete: operations["delete-ci"];
        options?: never;
        head?: never;
        /**
         * Edit an item: what a person says wins over what was discovered, by the field's authority
         * @description Role: manager.
         */
        patch: operations["edit-ci"];
        trace?: never;
    };
    "/api/v1/cis/{id}/diff": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What differs between an item and another one, or itself at another time
         * @description Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: field; new; old.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it field.
         *
         *     Role: viewer.
         */
        get: operations["diff-ci"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cis/{id}/graph": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The topology around an item, nearest first
         * @description Role: viewer.
         */
        get: operations["get-ci-graph"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cis/{id}/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How a service stands by what it needs, open incidents included
         * @description Role: viewer.
         */
        get: operations["get-ci-health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cis/{id}/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What changed on an item, newest first
         * @description Fields are attribute names; label.NAME; ci.name and the like for the rest of the item; software:TYPE/NAME for installed versions; relation:TYPE for edges; change:TYPE for what was told (deployed, rebooted); liveness.
         *
         *     Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: at (time); ci; field; id; new; old; source.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it -at.
         *
         *     Role: viewer.
         */
        get: operations["list-ci-history"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cis/{id}/impact": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What fails with an item, most critical and nearest first
         * @description Role: viewer.
         */
        get: operations["get-ci-impact"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cis/{id}/past": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * An item as it was at a time, rebuilt from its history
         * @description Role: viewer.
         */
        get: operations["get-ci-past"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cis/{id}/sbom": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The software bill of a host or a service, CycloneDX 1.6
         * @description 404 where it leads to no host with a package list.
         *
         *     Role: viewer.
         */
        get: operations["get-ci-sbom"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cis/{id}/sections/{section}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The newest content of a section of a host's report
         * @description As the agent sent it: agent, host, os, hardware, interfaces, routes, disks, filesystems, packages, services, processes, listeners, connections, containers, users, certificates, modules, cron.
         *
         *     Role: viewer.
         */
        get: operations["get-ci-section"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cis/{id}/single-points": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What an item needs and has only once, worst first
         * @description Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: class; criticality; cuts; hops; id; liveness; name; via.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it -cuts.
         *
         *     Role: viewer.
         */
        get: operations["list-single-points"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/classes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Classes with their fields, relation types, and every field that a query can name
         * @description Role: viewer.
         */
        get: operations["list-classes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/costs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Purchase prices added up by a field and currency
         * @description Filter (q): the inventory's query language, e.g. `class:host os:debian software:openssl<3.0.14 owner:team-a seen<24h not tag:lab`. Terms stand side by side and all must hold; or and parentheses are there; FIELD:* means any value; * in a value is any text; a bare word is looked for in names, aliases and addresses. Errors name the place. /api/v1/classes lists classes and fields.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it group.
         *
         *     Role: viewer.
         */
        get: operations["list-costs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/coverage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Machines and open ports that no Prometheus target or alerting rule watches
         * @description Asks the Prometheus that the configuration names under cmdb.prometheus, now. 409 where it names none, 503 where one does not answer.
         *
         *     Role: viewer.
         */
        get: operations["get-coverage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/endings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What ends: warranties, support, certificates, contracts; what is over comes first
         * @description Filter (q): the inventory's query language, e.g. `class:host os:debian software:openssl<3.0.14 owner:team-a seen<24h not tag:lab`. Terms stand side by side and all must hold; or and parentheses are there; FIELD:* means any value; * in a value is any text; a bare word is looked for in names, aliases and addresses. Errors name the place. /api/v1/classes lists classes and fields.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it date.
         *
         *     Role: viewer.
         */
        get: operations["list-endings"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A recording of this installation's own past
         * @description JSON lines, gzip. What was known before `from` (configuration, items, relations, maintenance) comes first, so that a replay stands on it.
         *
         *     Role: admin.
         */
        get: operations["export"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/hygiene": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Which rules cost attention without being of use
         * @description From the records of the last days: rules that nobody acts on, whose alerts are always held, that flap, name no known item, or fire for ever; and rules whose alerts always come together. Each with its newest incidents.
         *
         *     Role: viewer.
         */
        get: operations["get-hygiene"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Read a recording into this installation
         * @description JSON lines, gzip or not. Items and relations are taken at any time. Alerts, changes and maintenance only into an installation that has received no alert yet: they count as received now, in their order. Commands, rules and ticks of a recording are left out.
         *
         *     Role: manager.
         */
        post: operations["import"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List incidents
         * @description Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: acknowledged (yes or no); acknowledged_at (time); acknowledged_by; active_alerts; alerts; assignee; cause; ci (id of an item, or name of a suspected cause); cis; closed (time); closed_at (time); derivation; description; entries; expired_at (time); handoffs; hold (caller, problem, vendor, change); hold_reason; id; impact; known_error (yes or no); major (yes or no); merged_into; onset (time); opened (time); opened_at (time); opened_by; overridden (yes or no); page; page_why; priority (1 critical to 5 planning); problem; recovery_change.at (time); recovery_change.ci; recovery_change.name; recovery_change.summary; recovery_change.type; recovery_change.version; recurred (yes or no); reopened; reopened_at (time); reopened_onset (time); resolution; resolved (time); resolved_at (time); resolved_by; responded_at (time); responded_by; restored_at (time); revision; seen_before (yes, no or an incident); seen_before_mended; service; services; severity (critical, error, warning, info); state (new, in_progress, on_hold, resolved, closed, canceled; open is the first three); team; title; titled (yes or no); urgency; verdict.check; verdict.common; verdict.grade; verdict.probability; verdict.text; work_started_at (time); workaround; roles.NAME.
         *
         *     Order (sort): a field of the list, attention; a minus turns it round. Without it -opened.
         *
         *     attention lists open ones only: unacknowledged first, then by priority, oldest first.
         *
         *     Role: viewer.
         */
        get: operations["list-incidents"];
        put?: never;
        /**
         * Open an incident by hand
         * @description Role: responder.
         */
        post: operations["create-incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One incident, with causes, paths and legal verbs
         * @description Role: viewer.
         */
        get: operations["get-incident"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change title, description, impact or urgency
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        patch: operations["edit-incident"];
        trace?: never;
    };
    "/api/v1/incidents/{id}/acknowledge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Somebody works on it
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["acknowledge-incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/alerts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Its alerts in the order of receipt, each with fate and evidence
         * @description Role: viewer.
         */
        get: operations["list-incident-alerts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/assign": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give it to a person or a team
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["assign-incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * It was none
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["cancel-incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/close": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Nothing is left to do
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["close-incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/hold": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Wait for somebody else
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["hold-incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/major": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Declare a major incident, or change who has which role
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["major-incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/merge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Another incident takes its alerts over
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["merge-incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/minor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Take the declaration back
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["minor-incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/notes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Write on the timeline
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["notes-incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/notifications": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What was told about it, and when all receivers had it
         * @description Role: viewer.
         */
        get: operations["list-incident-notifications"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/reopen": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * It was not over
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["reopen-incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/resolve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * It works again
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["resolve-incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Go on after a hold
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["resume-incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/review": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Its post-incident review: as a person finished it, or a draft from the records
         * @description Role: viewer.
         */
        get: operations["get-incident-review"];
        /**
         * Finish the review of an incident that is over
         * @description Role: responder.
         */
        put: operations["write-incident-review"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/split": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Some of its alerts become an incident of their own, which is answered
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["split-incident"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/incidents/{id}/timeline": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Its timeline, oldest first
         * @description Role: viewer.
         */
        get: operations["list-incident-timeline"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/ingest/alertmanager": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Receive Alertmanager's webhook
         * @description Wants a token of role ingest; what it brings belongs to that token's source. 200 only after all of it is synced to disk. 400: the body is no webhook, 413: it is too large; its begin is kept in quarantine, and Alertmanager does not try again. 503: overloaded or the disk is full; Alertmanager tries again. The body is read as JSON whatever Content-Type says: a wrong header must not cost an alert. Where a sender can only log in with a name and a password, the token is the password of any name.
         *
         *     Role: ingest.
         */
        post: operations["ingest-alertmanager"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/ingest/changes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Receive deployments and other changes
         * @description One object or an array of them: {"ci": {"id"} or {"class", "name"}, "type": "deployed", "summary", "version", "at"}. Without at it happened now. Where one is wrong none is taken. They stand in their item's history as change:TYPE, and explain incidents for six hours. What names no item of the inventory is told under unknown and not kept.
         *
         *     Role: ingest.
         */
        post: operations["ingest-changes"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/ingest/grafana": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Receive the webhook of Grafana's own alerting
         * @description The contact point of type webhook, with the token as its password or under Authorization. Answers like ingest/alertmanager, which takes these bodies too.
         *
         *     Role: ingest.
         */
        post: operations["ingest-grafana"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/kpis": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * KPIs of a span of time, computed from the event log
         * @description JSON, or CSV with format=csv or Accept: text/csv.
         *
         *     Role: viewer.
         */
        get: operations["get-kpis"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log a browser in
         * @description Sets the session cookie (HttpOnly, SameSite=Lax). Too many failures answer 429 with Retry-After.
         *
         *     Needs no credential.
         */
        post: operations["login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login-links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make a one-time login link
         * @description Role: admin.
         */
        post: operations["create-login-link"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * End this browser session
         * @description Role: viewer.
         */
        post: operations["logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/maintenance": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List maintenance windows, newest first; open ones by their begin
         * @description Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: cis; created_at (time); created_by; ends_at (time); entries; expected_items; id; query; revision; services; starts_at (time); state (planned, active, ended, canceled); summary; suppressed; unexpected_items.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it -id.
         *
         *     Role: viewer.
         */
        get: operations["list-maintenance"];
        put?: never;
        /**
         * Plan a window: alerts about what it covers open nothing meanwhile
         * @description Role: responder.
         */
        post: operations["create-maintenance"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/maintenance/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One window
         * @description Role: viewer.
         */
        get: operations["get-maintenance"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/maintenance/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * It does not take place
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["cancel-maintenance"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/maintenance/{id}/cover": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * More items are worked on
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["cover-maintenance"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/maintenance/{id}/end": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * It is done before its time
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["end-maintenance"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/maintenance/{id}/extend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * It ends later, or sooner
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["extend-maintenance"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/maintenance/{id}/timeline": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Its timeline, oldest first
         * @description Role: viewer.
         */
        get: operations["list-maintenance-timeline"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/merges": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Items that were made one; each can be taken back
         * @description Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: actor; at (time); id; survivor; undone_at (time).
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it id.
         *
         *     Role: viewer.
         */
        get: operations["list-merges"];
        put?: never;
        /**
         * Make two items one
         * @description Role: manager.
         */
        post: operations["merge-cis"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/merges/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Take a merge back; id is the item that went
         * @description Role: manager.
         */
        delete: operations["unmerge-cis"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/outages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Outages of services, newest first
         * @description Those under way, and those of the last 400 days, as measured and as corrected.
         *
         *     Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: corrected.at (time); corrected.by; corrected.from (time); corrected.none (yes or no); corrected.reason; corrected.until (time); from (time); id; service; until (time).
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it -id.
         *
         *     Role: viewer.
         */
        get: operations["list-outages"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/outages/{id}/correct": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say what an outage was in truth
         * @description Availability follows the correction; what was measured stays beside it.
         *
         *     Role: manager.
         */
        post: operations["correct-outage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List problems
         * @description Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: assignee; closed_at (time); description; entries; fix; id; incidents; known_error (yes or no); last (time of the last incident); last_incident_at (time); opened (time); opened_at (time); opened_by; priority; reopened; resolved_at (time); revision; root_cause; signature; software.ecosystem; software.fixed_in; software.items; software.pending; software.product; state (new, assess, root_cause, fix, resolved, closed; open is the first four); team; title; why; workaround.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it -opened.
         *
         *     Role: viewer.
         */
        get: operations["list-problems"];
        put?: never;
        /**
         * Open a problem by hand
         * @description Role: responder.
         */
        post: operations["create-problem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One problem
         * @description Role: viewer.
         */
        get: operations["get-problem"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change title, description, priority or root cause
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        patch: operations["edit-problem"];
        trace?: never;
    };
    "/api/v1/problems/{id}/assess": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Somebody looks at it
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["assess-problem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems/{id}/assign": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give it to a person or a team
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["assign-problem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems/{id}/close": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Close before the time of proof, with a reason
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["close-problem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems/{id}/fix": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * The cause is known and being mended
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["fix-problem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems/{id}/incidents": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The incidents that it explains, newest first
         * @description Role: viewer.
         */
        get: operations["list-problem-incidents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems/{id}/known_error": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * The cause or a workaround is known; shown on each incident of it
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["known-error-problem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems/{id}/link": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * An incident belongs to it
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["link-problem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems/{id}/notes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Write on the timeline
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["notes-problem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems/{id}/reopen": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * It was not mended
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["reopen-problem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems/{id}/resolve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * It is mended; closes when it does not come back
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["resolve-problem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems/{id}/root_cause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Look for the cause
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["root-cause-problem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems/{id}/software": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Bind it to a version: it resolves when that has arrived everywhere, and reopens where it is taken back
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["software-problem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems/{id}/timeline": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Its timeline, oldest first
         * @description Role: viewer.
         */
        get: operations["list-problem-timeline"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems/{id}/unlink": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * An incident does not belong to it
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["unlink-problem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/problems/{id}/workaround": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * What helps until the cause is mended; shown on each incident of it
         * @description Answers the record after the act. A verb that the state does not allow answers 409 with the legal ones in `legal`. With If-Match: REVISION (the ETag that the record was read with) a stale edit answers 412 with the current `revision`.
         *
         *     Role: responder.
         */
        post: operations["workaround-problem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/quality": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How well the inventory is kept: completeness, staleness, orphans, duplicates
         * @description Role: viewer.
         */
        get: operations["get-quality"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/quarantine": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What was received and could not be read, newest first
         * @description Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: at (time); raw; reason; source.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it -at.
         *
         *     Role: responder.
         */
        get: operations["list-quarantine"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/references": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say which items references name
         * @description As configuration, maintenance, changes and verbs resolve them: with `id` where one item goes by it, `others` where several do, `near` where none does.
         *
         *     Role: viewer.
         */
        post: operations["resolve-references"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/relations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Record a relation, or take it back with removed: true
         * @description Role: manager.
         */
        post: operations["write-relation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/service-proposals": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Services that could be composed of what runs together, largest first
         * @description Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: calls; class; members; name; names; why.
         *
         *     Order (sort): a field of the list, largest; a minus turns it round. Without it largest.
         *
         *     Role: viewer.
         */
        get: operations["list-service-proposals"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/services": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Services with their health
         * @description Configured services, items of class business_service and application, services that people composed or gave a criticality, and what open incidents name.
         *
         *     Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: availability_objective; class; criticality; id; incidents; name; open_incidents; owner; priority; state (ok, degraded, down); team.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it name.
         *
         *     Role: viewer.
         */
        get: operations["list-services"];
        put?: never;
        /**
         * Compose a service of items
         * @description Role: manager.
         */
        post: operations["create-service"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who the caller is
         * @description Role: viewer.
         */
        get: operations["get-session"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Set the caller's own password; ends their other sessions
         * @description Role: viewer.
         */
        post: operations["set-own-password"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/software": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Installed products with versions and numbers of hosts
         * @description Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: hosts; name; type; version (any that is installed).
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it name.
         *
         *     A single word is a part of the product's name, or a pattern of the whole with *.
         *
         *     Role: viewer.
         */
        get: operations["list-software"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Senders of alerts with their health
         * @description Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: clamped_alerts; last_heard_at (time); source; stale_alerts; state (never, healthy, silent); truncated_alerts; warning; why.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it source.
         *
         *     Role: viewer.
         */
        get: operations["list-sources"];
        put?: never;
        /**
         * Let a sender of alerts in: makes its ingest token
         * @description Role: admin.
         */
        post: operations["create-source"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How the server does
         * @description Role: viewer.
         */
        get: operations["get-status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Server-sent events of what changed
         * @description `event` is the kind of record, `data` is {id, kind, position}; a reader that comes back with the last `id` as Last-Event-ID gets what it missed. Changes of the inventory (ci, task) come at most once a second, each item once. `event: reset` says that changes were lost: read everything anew. Comments are heartbeats.
         *
         *     Role: viewer.
         */
        get: operations["stream"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What the inventory saw and does not decide alone: clones, conflicts, proposals, agents that are gone
         * @description Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: ci; count; done; done_at (time); evidence.ci; evidence.cloned; evidence.outcome; evidence.reimaged (yes or no); evidence.rule; id; kind; last_at (time); opened_at (time); others; seen.addresses; seen.agent_id; seen.asset_tag; seen.cloud; seen.container (yes or no); seen.container_id; seen.disks; seen.fqdn; seen.hostname; seen.machine_id; seen.macs; seen.parent_hint; seen.product_uuid; seen.serial; seen.vendor; site; site_key; summary.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it id.
         *
         *     Role: viewer.
         */
        get: operations["list-tasks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}/accept": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say that what a task asks is so: the items are one
         * @description Of a contested identity: the newcomer is the machine, installed anew. The item keeps its id, owner and history, and the credential of the agent that reported before ends.
         *
         *     Role: manager.
         */
        post: operations["accept-task"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}/close": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say how a task was decided
         * @description Role: manager.
         */
        post: operations["close-task"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teachings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What people taught, newest first
         * @description Merging and splitting incidents teaches too, unless `teach` is false. Each teaching changes later decisions, whose reasons name it, until it is withdrawn. Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: a.cause; a.cause_name; at (time); b.cause; b.cause_name; by; from; id; kind; last_used_at (time); reason; text; uses; withdrawn_at (time); withdrawn_by.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it -id.
         *
         *     Role: viewer.
         */
        get: operations["list-teachings"];
        put?: never;
        /**
         * Teach: not related, related, or always page
         * @description Role: responder.
         */
        post: operations["create-teaching"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/teachings/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One teaching, with how often it was used
         * @description Role: viewer.
         */
        get: operations["get-teaching"];
        put?: never;
        post?: never;
        /**
         * Take a teaching back: later decisions are as without it
         * @description Role: responder.
         */
        delete: operations["withdraw-teaching"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List tokens
         * @description Credentials of joined agents are left out unless agents is true.
         *
         *     Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: ci; created_at (time); created_by; expired (yes or no); expires_at (time); id; last_used_at (time); max_uses; name; networks; role (viewer, responder, manager, admin, ingest, agent); site; source; user; uses.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it id.
         *
         *     Role: admin.
         */
        get: operations["list-tokens"];
        put?: never;
        /**
         * Make a token; its secret is shown once
         * @description Role: admin.
         */
        post: operations["create-token"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * End a token at once
         * @description Role: admin.
         */
        delete: operations["revoke-token"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List people
         * @description Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: created_at (time); created_by; disabled (yes or no); display; name; password (yes or no); role (viewer, responder, manager, admin).
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it name.
         *
         *     Role: manager.
         */
        get: operations["list-users"];
        put?: never;
        /**
         * Add a person
         * @description Role: admin.
         */
        post: operations["create-user"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One person
         * @description Role: manager.
         */
        get: operations["get-user"];
        put?: never;
        post?: never;
        /**
         * Remove a person with their tokens and sessions
         * @description Role: admin.
         */
        delete: operations["delete-user"];
        options?: never;
        head?: never;
        /**
         * Change a person; a changed role or password ends their sessions
         * @description Role: admin.
         */
        patch: operations["edit-user"];
        trace?: never;
    };
    "/api/v1/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Read all stored data and say whether it is whole
         * @description Every table with its checksums, every row and index entry, the journal's positions, the marks. It reads as fast as the disk gives, one call at a time.
         *
         *     Role: admin.
         */
        post: operations["verify"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/views": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Saved lists
         * @description Filter (q): Terms joined by and, e.g. field:value, number<=2, time<24h, not field:a,b, "free text"; * matches any text. Fields: columns; name; owner; q; sort.
         *
         *     Order (sort): a field of the list; a minus turns it round. Without it name.
         *
         *     Role: viewer.
         */
        get: operations["list-views"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/views/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Save a list under a name
         * @description Role: viewer.
         */
        put: operations["save-view"];
        post?: never;
        /**
         * Forget a saved list
         * @description Role: viewer.
         */
        delete: operations["delete-view"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics for Prometheus
         * @description Needs no credential where the server listens on loopback; otherwise role viewer.
         */
        get: operations["metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Alert: {
            annotations: {
                [key: string]: string;
            };
            /** Format: date-time */
            attached_at?: string;
            /** @description The configuration item that it is about, and how that is known */
            binding?: components["schemas"]["Binding"];
            /** @description The alert that its replicas share */
            canonical: string;
            /** @description starts_at lay in the future or too far back */
            clamped?: boolean;
            /** @description How it is known that it is over */
            end_why?: string;
            /** Format: date-time */
            ends_at?: string;
            /** @description Why it is in its incident */
            evidence: components["schemas"]["Evidence"][];
            /**
             * @description Its disposition at receipt
             * @enum {string}
             */
            fate: "incident" | "duplicate" | "resolve" | "suppressed" | "held" | "invalid";
            /**
             * @description Where a held alert ended
             * @enum {string}
             */
            final_fate?: "incident" | "duplicate" | "resolve" | "suppressed" | "held" | "invalid";
            final_why?: string;
            fingerprint: string;
            /** Format: date-time */
            first_received: string;
            generator_url?: string;
            id: string;
            incident?: string;
            labels: {
                [key: string]: string;
            };
            /** Format: date-time */
            last_received: string;
            /** @description Its alertname */
            name: string;
            /**
             * Format: date-time
             * @description When the symptom began: starts_at less the rule's for
             */
            onset: string;
            /**
             * Format: int64
             * @description How often it was received, as of the last written change
             */
            receipts: number;
            severity: string;
            source: string;
            /** Format: date-time */
            starts_at: string;
            /** @enum {string} */
            status: "firing" | "resolved" | "expired" | "stale" | "superseded";
            why: string;
        };
        AroundArgs: {
            note?: string;
            workaround: string;
        };
        AssignArgs: {
            /** @description Absent: stays; empty: nobody. Who assigns it to himself acknowledges */
            assignee?: string;
            note?: string;
            /** @description Absent: stays; empty: none */
            team?: string;
        };
        Audit: {
            actor: string;
            after?: unknown;
            args?: unknown;
            /** Format: date-time */
            at: string;
            before?: unknown;
            /** @description incident, problem, token, user, session, ... */
            kind: string;
            /** Format: int64 */
            position: number;
            record?: string;
            /** @description Why it was not done */
            refused?: string;
            remote?: string;
            verb: string;
        };
        Availability: {
            /** Format: double */
            agreed_seconds: number;
            /** Format: double */
            availability?: number;
            /** Format: double */
            downtime_seconds: number;
            /** Format: int64 */
            failures: number;
            /** Format: double */
            measured_downtime_seconds?: number;
            /** Format: double */
            mtbf_seconds?: number;
            /** Format: double */
            objective?: number;
            service: string;
        };
        Awaited: {
            /** Format: int64 */
            alerts: number;
            ci: string;
            name: string;
        };
        Backlog: {
            age_seconds: components["schemas"]["Distribution"];
            /** Format: date-time */
            oldest?: string;
            /** Format: int64 */
            open: number;
            unacknowledged_age_seconds: components["schemas"]["Distribution"];
        };
        Binding: {
            ci: string;
            class: string;
            everywhere?: boolean;
            evidence: string;
            label: string;
            name: string;
            place?: boolean;
            /** Format: int64 */
            score: number;
            value: string;
        };
        BulkEdit: {
            add_tags?: string[];
            /** @description Tell what would change, and change nothing */
            dry_run?: boolean;
            /**
             * Format: int64
             * @description Refuse the whole where more items match; without it 10000
             */
            max?: number;
            /** @description The items that are changed */
            q: string;
            remove_tags?: string[];
            /** @description Fields to set; null takes back what you said before */
            set?: {
                [key: string]: unknown;
            };
        };
        CI: {
            aliases?: string[];
            attributes?: {
                [key: string]: unknown;
            };
            claims?: {
                [key: string]: components["schemas"]["Claim"][] | null;
            };
            class: string;
            /** Format: double */
            completeness: number;
            /** Format: date-time */
            first_seen: string;
            heard?: {
                [key: string]: string;
            };
            id: string;
            incomplete?: string[];
            key?: string;
            labels?: {
                [key: string]: string;
            };
            /** Format: date-time */
            last_seen: string;
            liveness: string;
            merged_into?: string;
            /** Format: date-time */
            missing_since?: string;
            name: string;
            parent?: string;
            source: string;
            tags?: string[];
        };
        CIDetail: {
            aliases?: string[];
            attributes?: {
                [key: string]: unknown;
            };
            claims?: {
                [key: string]: components["schemas"]["Claim"][] | null;
            };
            class: string;
            /** Format: double */
            completeness: number;
            /** Format: date-time */
            first_seen: string;
            heard?: {
                [key: string]: string;
            };
            id: string;
            incomplete?: string[];
            key?: string;
            labels?: {
                [key: string]: string;
            };
            /** Format: date-time */
            last_seen: string;
            liveness: string;
            merged_into?: string;
            /** Format: date-time */
            missing_since?: string;
            name: string;
            parent?: string;
            /** @description The item that it was found on */
            parent_ref?: components["schemas"]["Ref"];
            /** @description Of a host that reports: what was received, and why it may not be whole */
            sections: components["schemas"]["SectionState"][];
            source: string;
            tags?: string[];
        };
        CIEdit: {
            /** @description Fields of the class; null takes back what you said before. Others stay as they are */
            attributes?: {
                [key: string]: unknown;
            };
            /** @description Replace those there are */
            labels?: {
                [key: string]: string;
            };
            name?: string;
            /** @description Replace those there are */
            tags?: string[];
        };
        CIPage: {
            items: components["schemas"]["CI"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
            /**
             * Format: int64
             * @description Items that match
             */
            total: number;
        };
        CIWrite: {
            /** @description Fields of the class; null takes back what you said before */
            attributes?: {
                [key: string]: unknown;
            };
            class: string;
            /** @description Replace those there are */
            labels?: {
                [key: string]: string;
            };
            name: string;
            /** @description Replace those there are */
            tags?: string[];
        };
        Cause: {
            ci: string;
            class: string;
            name: string;
            path: string;
            /** Format: double */
            score: number;
        };
        CauseArgs: {
            note?: string;
            reason?: string;
            root_cause?: string;
        };
        CauseVerdict: {
            check?: string;
            common?: string;
            grade: string;
            /** Format: double */
            probability?: number;
            text: string;
        };
        Claim: {
            /** Format: date-time */
            at: string;
            source: string;
            value: unknown;
        };
        Class: {
            description?: string;
            fields?: components["schemas"]["Field"][];
            /** Format: int64 */
            gone_after?: number;
            name: string;
            role?: string;
            /** Format: int64 */
            stale_after?: number;
        };
        Classes: {
            classes: components["schemas"]["Class"][];
            /** @description What a query can name */
            fields: string[];
            relations: components["schemas"]["RelationType"][];
        };
        Clock: {
            active: boolean;
            /** Format: date-time */
            breached_at?: string;
            clock: string;
            /** Format: date-time */
            due?: string;
            /** Format: double */
            elapsed_seconds: number;
            /** Format: date-time */
            held?: string;
            left?: boolean;
            phase: string;
            result?: string;
            sla: string;
            /** Format: date-time */
            start: string;
            target: string;
            /** Format: int64 */
            warned?: number;
        };
        "Close-taskRequest": {
            decision: string;
        };
        Completion: {
            /**
             * Format: int64
             * @description First byte of the query that a proposal replaces
             */
            from: number;
            proposals: string[];
            /** Format: int64 */
            to: number;
        };
        CorrectOutage: {
            /**
             * Format: date-time
             * @description Without it: as measured
             */
            from?: string;
            /** @description It was no outage */
            none?: boolean;
            reason: string;
            /**
             * Format: date-time
             * @description Without it: as measured
             */
            until?: string;
        };
        Correction: {
            /** Format: date-time */
            at: string;
            by: string;
            /** Format: date-time */
            from?: string;
            none?: boolean;
            reason: string;
            /** Format: date-time */
            until?: string;
        };
        Cost: {
            currency: string;
            group: string;
            /** Format: int64 */
            items: number;
            /** Format: double */
            total: number;
        };
        CoverArgs: {
            /** @description Further items that are worked on, by id, class:name or name */
            cis: string[];
            reason?: string;
        };
        Coverage: {
            /** Format: int64 */
            covered: number;
            gaps: components["schemas"]["Gap"][];
            unknown_targets: string[];
            /** Format: int64 */
            watched: number;
        };
        Difference: {
            field: string;
            new: unknown;
            old: unknown;
        };
        Distribution: {
            /** Format: int64 */
            count: number;
            /** Format: double */
            max: number;
            /** Format: double */
            mean: number;
            /** Format: double */
            p50: number;
            /** Format: double */
            p90: number;
            /** Format: double */
            sum: number;
        };
        Downtime: {
            /** Format: date-time */
            from: string;
            incident: string;
            /** Format: date-time */
            to?: string;
        };
        Duplicate: {
            cis: string[];
            field: string;
            value: string;
        };
        EditArgs: {
            /** @description Absent: stays; empty: none */
            description?: string;
            /** Format: int64 */
            impact?: number;
            note?: string;
            /** @description Why; needed to override the priority */
            reason?: string;
            title?: string;
            /** Format: int64 */
            urgency?: number;
        };
        Ending: {
            ci: string;
            class: string;
            date: string;
            /** Format: int64 */
            days: number;
            field: string;
            name: string;
            owner?: string;
        };
        Entry: {
            /** Format: date-time */
            at: string;
            ci: string;
            field: string;
            id: string;
            new?: unknown;
            old?: unknown;
            source: string;
        };
        Evidence: {
            signal: string;
            text: string;
            /** Format: double */
            weight: number;
        };
        ExtendArgs: {
            /** Format: date-time */
            ends_at: string;
            reason?: string;
        };
        Field: {
            counter?: boolean;
            description?: string;
            name: string;
            required?: boolean;
            type: string;
            values?: string[];
        };
        FieldError: {
            /**
             * @description Path of the field, e.g. alerts[3].labels
             * @example impact
             */
            field: string;
            /** @description What is wrong and how to mend it */
            message: string;
        };
        Finding: {
            ci: string;
            differs?: string[];
            ignored?: string[];
            rule?: string;
            same?: string[];
            why?: string;
        };
        Gap: {
            ci: string;
            class: string;
            jobs?: string[];
            missing: string;
            name: string;
            /** Format: int64 */
            port?: number;
        };
        Graph: {
            edges: components["schemas"]["GraphEdge"][];
            nodes: components["schemas"]["GraphNode"][];
            truncated?: boolean;
        };
        GraphEdge: {
            from: string;
            to: string;
            type: string;
        };
        GraphNode: {
            class: string;
            criticality?: string;
            /** Format: int64 */
            hops: number;
            id: string;
            liveness: string;
            name: string;
            via?: string;
        };
        Health: {
            /** Format: int64 */
            checked: number;
            status: string;
            troubled?: components["schemas"]["HealthNode"][];
        };
        HealthNode: {
            class: string;
            criticality?: string;
            /** Format: int64 */
            hops: number;
            id: string;
            liveness: string;
            name: string;
            via?: string;
            why: string;
        };
        HoldArgs: {
            note?: string;
            /**
             * @description Whom or what it waits for
             * @enum {string}
             */
            reason: "caller" | "problem" | "vendor" | "change";
        };
        Hour: {
            /** Format: int64 */
            episodes: number;
            fates: {
                [key: string]: number;
            };
            /** Format: int64 */
            received: number;
            /** Format: int64 */
            released: number;
            /** Format: date-time */
            start: string;
        };
        HygieneReport: {
            /** Format: int64 */
            alerts: number;
            /** @description By rule that the report names: its newest incidents, at most 50 */
            recent_incidents: {
                [key: string]: string[] | null;
            };
            rules: components["schemas"]["RuleHygiene"][];
            /** Format: date-time */
            since: string;
            together: components["schemas"]["RulePair"][];
            /** Format: date-time */
            until: string;
        };
        Identifiers: {
            addresses?: string[];
            agent_id?: string;
            asset_tag?: string;
            cloud?: string;
            container?: boolean;
            container_id?: string;
            disks?: string[];
            fqdn?: string;
            hostname?: string;
            machine_id?: string;
            macs?: string[];
            parent_hint?: string;
            product_uuid?: string;
            serial?: string;
            vendor?: string;
        };
        Impact: {
            affected: components["schemas"]["ImpactNode"][];
            by_criticality: {
                [key: string]: number;
            };
            /** Format: int64 */
            degraded: number;
            /** Format: double */
            score: number;
            /** Format: int64 */
            total: number;
            truncated?: boolean;
        };
        ImpactNode: {
            class: string;
            criticality?: string;
            /** Format: int64 */
            hops: number;
            id: string;
            liveness: string;
            name: string;
            state: string;
            /** Format: double */
            strength: number;
            uncounted?: boolean;
            via?: string;
        };
        ImportReport: {
            /** Format: int64 */
            changed: number;
            /** Format: int64 */
            created: number;
            dry_run?: boolean;
            /** Format: int64 */
            failed: number;
            lines: components["schemas"]["LineReport"][];
            /** Format: int64 */
            unchanged: number;
        };
        Imported: {
            /**
             * Format: int64
             * @description Alerts, changes and maintenance that were journaled
             */
            events: number;
            /** Format: int64 */
            items: number;
            /** Format: int64 */
            relations: number;
            /** @description Lines that were left out, at most 1000 of them */
            wrong: components["schemas"]["WrongLine"][];
            /** Format: int64 */
            wrong_total: number;
        };
        Incident: {
            /** Format: date-time */
            acknowledged_at?: string;
            acknowledged_by?: string;
            /** Format: int64 */
            active_alerts: number;
            /** Format: int64 */
            alerts: number;
            assignee?: string;
            causes: components["schemas"]["Cause"][];
            changes?: components["schemas"]["SuspectChange"][];
            cis?: string[];
            /** Format: date-time */
            closed_at?: string;
            derivation?: string;
            description?: string;
            /** Format: int64 */
            entries: number;
            /** Format: date-time */
            expired_at?: string;
            /** Format: int64 */
            handoffs?: number;
            /** @enum {string} */
            hold_reason?: "caller" | "problem" | "vendor" | "change";
            id: string;
            /** Format: int64 */
            impact: number;
            known_error?: boolean;
            /** @description Verbs that the incident's state allows now */
            legal: string[];
            major?: boolean;
            merged_into?: string;
            /** Format: date-time */
            onset: string;
            /** Format: date-time */
            opened_at: string;
            opened_by: string;
            overridden?: boolean;
            page?: string;
            page_why?: string;
            /** Format: int64 */
            priority: number;
            problem?: string;
            recovery_change?: components["schemas"]["SuspectChange"];
            recurred?: boolean;
            /** @description Class and name of the configuration items that the incident mentions, by id */
            refs: {
                [key: string]: components["schemas"]["Ref"];
            };
            /** Format: int64 */
            reopened?: number;
            /** Format: date-time */
            reopened_at?: string;
            /** Format: date-time */
            reopened_onset?: string;
            resolution?: string;
            /** Format: date-time */
            resolved_at?: string;
            resolved_by?: string;
            /** Format: date-time */
            responded_at?: string;
            responded_by?: string;
            /** Format: date-time */
            restored_at?: string;
            /** Format: int64 */
            revision: number;
            roles?: {
                [key: string]: string;
            };
            seen_before?: string;
            seen_before_mended?: string;
            services?: string[];
            severity?: string;
            slas?: components["schemas"]["Clock"][];
            /** @enum {string} */
            state: "new" | "in_progress" | "on_hold" | "resolved" | "closed" | "canceled";
            team?: string;
            title: string;
            titled?: boolean;
            /** Format: int64 */
            urgency: number;
            verdict?: components["schemas"]["CauseVerdict"];
            /** Format: date-time */
            work_started_at?: string;
            workaround?: string;
        };
        KPIs: {
            alerts?: components["schemas"]["Hour"];
            backlog?: components["schemas"]["Backlog"];
            clocks: {
                [key: string]: components["schemas"]["Distribution"];
            };
            counts: {
                [key: string]: number;
            };
            /** Format: double */
            first_contact_rate?: number;
            key: string;
            /** Format: double */
            noise_reduction?: number;
            /** Format: double */
            recurrence_rate?: number;
            /** Format: double */
            reopen_rate?: number;
            sla?: {
                [key: string]: number;
            };
            /** Format: double */
            sla_compliance?: number;
        };
        KnownArgs: {
            /** @description false takes it back */
            known_error?: boolean;
            note?: string;
            reason?: string;
            root_cause?: string;
            workaround?: string;
        };
        LineReport: {
            changes?: components["schemas"]["Difference"][];
            ci?: string;
            errors?: string[];
            /** Format: int64 */
            line: number;
            name?: string;
            outcome: string;
        };
        LinkArgs: {
            incident: string;
            reason?: string;
        };
        Login: {
            password: string;
            user: string;
        };
        LoginLink: {
            /** Format: date-time */
            expires_at: string;
            url: string;
        };
        MadeSource: {
            /** @description Alertmanager configuration with the ready receiver */
            alertmanager: string;
            /** @description Of role agent: the only item it may report for; without one it joins new agents */
            ci?: string;
            /** Format: date-time */
            created_at: string;
            created_by: string;
            expired?: boolean;
            /** Format: date-time */
            expires_at?: string;
            id: string;
            /**
             * Format: date-time
             * @description To the hour
             */
            last_used_at?: string;
            /**
             * Format: int64
             * @description Of role agent: how many hosts it lets in; 0 or none: any number. A host that shows its earlier credential does not count
             */
            max_uses?: number;
            name: string;
            /** @description Of role agent: the networks that hosts must come from, as prefixes */
            networks?: string[];
            role: string;
            /** @description Of role agent: the only mesh site that its hosts may be members of */
            site?: string;
            /** @description Of role ingest: the alert source */
            source?: string;
            /** @description The bearer secret. It is shown this once */
            token: string;
            /** @description Whose acts it does */
            user?: string;
            /**
             * Format: int64
             * @description Of a join token with max_uses: the hosts that it has let in
             */
            uses?: number;
        };
        MadeToken: {
            /** @description Of role agent: the only item it may report for; without one it joins new agents */
            ci?: string;
            /** Format: date-time */
            created_at: string;
            created_by: string;
            expired?: boolean;
            /** Format: date-time */
            expires_at?: string;
            id: string;
            /**
             * Format: date-time
             * @description To the hour
             */
            last_used_at?: string;
            /**
             * Format: int64
             * @description Of role agent: how many hosts it lets in; 0 or none: any number. A host that shows its earlier credential does not count
             */
            max_uses?: number;
            name: string;
            /** @description Of role agent: the networks that hosts must come from, as prefixes */
            networks?: string[];
            /** @enum {string} */
            role: "viewer" | "responder" | "manager" | "admin" | "ingest" | "agent";
            /** @description Of role agent: the only mesh site that its hosts may be members of */
            site?: string;
            /** @description Of role ingest: the alert source */
            source?: string;
            /** @description The bearer secret. It is shown this once */
            token: string;
            /** @description Whose acts it does */
            user?: string;
            /**
             * Format: int64
             * @description Of a join token with max_uses: the hosts that it has let in
             */
            uses?: number;
        };
        Maintenance: {
            cis?: string[];
            /** Format: date-time */
            created_at: string;
            created_by: string;
            /** Format: date-time */
            ends_at: string;
            /** Format: int64 */
            entries: number;
            expected?: components["schemas"]["Awaited"][];
            /** Format: int64 */
            expected_items: number;
            id: string;
            /** @description Verbs that the window's state allows now */
            legal: string[];
            query?: string;
            /** @description Class and name of the items that it covers, by id */
            refs: {
                [key: string]: components["schemas"]["Ref"];
            };
            /** Format: int64 */
            revision: number;
            services?: string[];
            /** Format: date-time */
            starts_at: string;
            state: string;
            summary: string;
            /** Format: int64 */
            suppressed: number;
            unexpected?: components["schemas"]["Awaited"][];
            /** Format: int64 */
            unexpected_items: number;
        };
        MajorArgs: {
            note?: string;
            reason?: string;
            /** @description Role (commander, communications, scribe, ...) to who has it */
            roles?: {
                [key: string]: string;
            };
        };
        Meant: {
            id?: string;
            near?: string[];
            others?: string[];
            ref: string;
        };
        MendArgs: {
            /** @description What was done */
            fix?: string;
            note?: string;
            root_cause?: string;
        };
        Merge: {
            actor: string;
            /** Format: date-time */
            at: string;
            id: string;
            survivor: string;
            /** Format: date-time */
            undone_at?: string;
        };
        MergeArgs: {
            /** @description Id of the incident that takes over */
            into: string;
            reason?: string;
            /** @description false: only this once; without it, failures like the two are brought together later (see /api/v1/teachings) */
            teach?: boolean;
        };
        MergeWish: {
            /** @description Also two machines that both report now */
            force?: boolean;
            /** @description The one that stays; of two of which one reports, that one does */
            keep: string;
            other: string;
        };
        Named: {
            class?: string;
            id?: string;
            name?: string;
        };
        NewIncident: {
            assignee?: string;
            /** @description The configuration item that it is about: id, class:name or name */
            ci?: string;
            description?: string;
            /**
             * Format: int64
             * @description 1 high to 3 low
             */
            impact: number;
            /** @description Name of the service that it concerns */
            service?: string;
            team?: string;
            title: string;
            /**
             * Format: int64
             * @description 1 high to 3 low
             */
            urgency: number;
        };
        NewLoginLink: {
            user: string;
        };
        NewMaintenance: {
            /** @description Items that are worked on, by id, class:name or name */
            cis?: string[];
            /** Format: date-time */
            ends_at: string;
            /** @description Items that match this query are covered too, also those that come to match it before the window ends */
            query?: string;
            /** @description Services that are worked on, by name */
            services?: string[];
            /**
             * Format: date-time
             * @description Without it: now
             */
            starts_at?: string;
            /** @description What is done */
            summary: string;
        };
        NewProblem: {
            assignee?: string;
            description?: string;
            /** @description Ids of the incidents that it explains */
            incidents?: string[];
            /**
             * Format: int64
             * @description 1 critical to 5 planning; without it 3
             */
            priority?: number;
            team?: string;
            title: string;
        };
        NewService: {
            attributes?: {
                [key: string]: unknown;
            };
            /** @description Without it: service */
            class?: string;
            /** @description Ids of the items that it is composed of */
            members: string[];
            name: string;
        };
        NewSource: {
            /** @description What it is, e.g. Alertmanager of cluster a */
            name: string;
            /** @description Its name in alerts; give an existing one for the other half of a pair */
            source?: string;
        };
        NewTeaching: {
            /** @description The alert that it is about: alerts of its name about its item are meant */
            alert?: string;
            /** @description not_related, related: the incident that shows the other kind; without it the alert's own */
            incident?: string;
            /**
             * @description not_related: such alerts are not grouped with failures of the other kind; related: they are one where they come together; always_page: such alerts are never held and people are told whatever the hour
             * @enum {string}
             */
            kind: "not_related" | "related" | "always_page";
            /** @description Instead of an alert: matchers in Alertmanager's syntax, all of which must fit */
            match?: string[];
            reason?: string;
            /** @description Instead of an incident: matchers of the other kind of alerts */
            with?: string[];
        };
        NewToken: {
            /**
             * Format: date-time
             * @description Until when it is good
             */
            expires_at?: string;
            /**
             * @description How long it is good: 12h, 30d
             * @example 30d
             */
            expires_in?: string;
            /**
             * Format: int64
             * @description Of role agent: how many hosts it lets in; 0 or none: any number. A host that shows its earlier credential does not count
             */
            max_uses?: number;
            /** @description What it is for */
            name: string;
            /** @description Of role agent: the networks that hosts must come from, as prefixes */
            networks?: string[];
            /** @enum {string} */
            role: "viewer" | "responder" | "manager" | "admin" | "ingest" | "agent";
            /** @description Of role agent: the only mesh site that its hosts may be members of */
            site?: string;
            /** @description Of role ingest: the alert source; tokens of one Alertmanager pair share it. Without one the token's id */
            source?: string;
            /** @description Whose acts it does; without one records name the token */
            user?: string;
        };
        NewUser: {
            display?: string;
            /** @description a-z, 0-9 and . _ @ - */
            name: string;
            /** @description At least 12 characters */
            password?: string;
            /** @enum {string} */
            role: "viewer" | "responder" | "manager" | "admin";
        };
        NewView: {
            columns?: string[];
            q: string;
            sort?: string;
        };
        NoteArgs: {
            /** @description Goes onto the timeline */
            note?: string;
        };
        Noted: {
            /**
             * Format: int64
             * @description Changes that stand in the history of their item now
             */
            accepted: number;
            /** @enum {string} */
            status: "ok";
            /** @description Changes that name no item of the inventory: they are not kept */
            unknown?: components["schemas"]["Unknown"][];
        };
        Outage: {
            corrected?: components["schemas"]["Correction"];
            /** Format: date-time */
            from: string;
            id: string;
            parts: components["schemas"]["Downtime"][];
            service: string;
            /** Format: date-time */
            until?: string;
        };
        PageAlert: {
            items: components["schemas"]["Alert"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageAudit: {
            items: components["schemas"]["Audit"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageCost: {
            items: components["schemas"]["Cost"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageDifference: {
            items: components["schemas"]["Difference"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageEnding: {
            items: components["schemas"]["Ending"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageEntry: {
            items: components["schemas"]["Entry"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageIncident: {
            items: components["schemas"]["Incident"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageMaintenance: {
            items: components["schemas"]["Maintenance"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageMerge: {
            items: components["schemas"]["Merge"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageOutage: {
            items: components["schemas"]["Outage"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageProblemRecord: {
            items: components["schemas"]["ProblemRecord"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageProduct: {
            items: components["schemas"]["Product"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageProposal: {
            items: components["schemas"]["Proposal"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageQuarantined: {
            items: components["schemas"]["Quarantined"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageService: {
            items: components["schemas"]["Service"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageSinglePoint: {
            items: components["schemas"]["SinglePoint"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageSource: {
            items: components["schemas"]["Source"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageTask: {
            items: components["schemas"]["Task"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageTeaching: {
            items: components["schemas"]["Teaching"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageTimelineEntry: {
            items: components["schemas"]["TimelineEntry"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageToken: {
            items: components["schemas"]["Token"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageTold: {
            items: components["schemas"]["Told"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageUser: {
            items: components["schemas"]["User"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PageView: {
            items: components["schemas"]["View"][];
            /** @description Give it as cursor for the page after this one; null at the end. A page may hold fewer items than its limit, even none, and still have a next one */
            next: string | null;
        };
        PasswordChange: {
            /** @description Needed where one is set */
            current?: string;
            /** @description At least 12 characters */
            new: string;
        };
        Problem: {
            /** @description What is wrong and how to mend it */
            detail?: string;
            /** @description What is wrong with which field */
            errors?: components["schemas"]["FieldError"][];
            /** @description The verbs that the record allows now */
            legal?: string[];
            /** @description Names this call in the server's log */
            request_id?: string;
            /**
             * Format: int64
             * @description The record's current revision, where If-Match named another one
             */
            revision?: number;
            /**
             * Format: int64
             * @description HTTP status
             */
            status: number;
            /** @description The status in words */
            title: string;
            /**
             * @description What kind of problem it is: urn:watchbill:problem:KIND
             * @example urn:watchbill:problem:conflict
             */
            type: string;
        };
        ProblemEdit: {
            description?: string;
            note?: string;
            /** Format: int64 */
            priority?: number;
            reason?: string;
            root_cause?: string;
            title?: string;
        };
        ProblemRecord: {
            assignee?: string;
            /** Format: date-time */
            closed_at?: string;
            description?: string;
            /** Format: int64 */
            entries: number;
            fix?: string;
            id: string;
            /** Format: int64 */
            incidents: number;
            known_error?: boolean;
            /** Format: date-time */
            last_incident_at?: string;
            /** @description Verbs that the problem's state allows now */
            legal: string[];
            /** Format: date-time */
            opened_at: string;
            opened_by: string;
            /** Format: int64 */
            priority: number;
            /** Format: int64 */
            reopened?: number;
            /** Format: date-time */
            resolved_at?: string;
            /** Format: int64 */
            revision: number;
            root_cause?: string;
            signature?: string;
            software?: components["schemas"]["Software"];
            /** @enum {string} */
            state: "new" | "assess" | "root_cause" | "fix" | "resolved" | "closed";
            team?: string;
            title: string;
            why?: string;
            workaround?: string;
        };
        Product: {
            /** Format: int64 */
            hosts: number;
            name: string;
            type: string;
            versions: components["schemas"]["Version"][];
        };
        Proposal: {
            calls?: string[];
            class: string;
            members: string[];
            name: string;
            names: string[];
            why: string;
        };
        Quality: {
            duplicates: components["schemas"]["Duplicate"][];
            groups: components["schemas"]["QualityGroup"][];
            missing: {
                [key: string]: number;
            };
        };
        QualityGroup: {
            class: string;
            /** Format: int64 */
            complete: number;
            /** Format: int64 */
            gone: number;
            /** Format: int64 */
            items: number;
            /** Format: int64 */
            orphans: number;
            owner: string;
            /** Format: int64 */
            stale: number;
        };
        Quarantined: {
            /** Format: date-time */
            at: string;
            /** @description As received, at most 64 KiB */
            raw: string;
            reason: string;
            source: string;
        };
        Readiness: {
            /** @enum {string} */
            status: "ready";
            /** @description What is wrong although it serves, such as a clock that was set back */
            warnings?: string[];
        };
        ReasonArgs: {
            note?: string;
            reason?: string;
        };
        Ref: {
            class: string;
            name: string;
        };
        References: {
            /** @description Ids, class:name, names or aliases */
            refs: string[];
        };
        RelationType: {
            call?: boolean;
            carries: boolean;
            description: string;
            membership?: boolean;
            name: string;
            redundancy?: string;
            replica?: boolean;
            /** Format: double */
            strength?: number;
        };
        RelationWrite: {
            from: components["schemas"]["Named"];
            removed?: boolean;
            to: components["schemas"]["Named"];
            /** @description runs_on, depends_on, member_of, ...; /api/v1/classes lists them */
            type: string;
        };
        Reloaded: {
            /** @description Settings that were changed and take effect with the next start only */
            needs_restart?: string[];
            /** @enum {string} */
            status: "reloaded";
            /** @description What the configuration names and is not there: it takes effect when it is */
            warnings?: string[];
        };
        Report: {
            by?: string;
            /** Format: date-time */
            from: string;
            groups: components["schemas"]["KPIs"][];
            services?: components["schemas"]["Availability"][];
            /** Format: date-time */
            to: string;
            total: components["schemas"]["KPIs"];
        };
        ReportEnrollReply: {
            ci: string;
            credential: string;
            schedule: components["schemas"]["ReportSchedule"];
        };
        ReportProblem: {
            privilege?: string;
            reason: string;
        };
        ReportReply: {
            ci: string;
            forked?: boolean;
            rejected?: {
                [key: string]: string;
            };
            schedule: components["schemas"]["ReportSchedule"];
            want?: string[];
        };
        ReportSchedule: {
            /** Format: int64 */
            full_seconds: number;
            /** Format: int64 */
            report_seconds: number;
            /** Format: int64 */
            sample_seconds: number;
        };
        ResolveArgs: {
            note?: string;
            /** @description What mended it */
            resolution?: string;
        };
        Resolved: {
            items: components["schemas"]["Meant"][];
        };
        Review: {
            /** Format: date-time */
            at?: string;
            by?: string;
            draft?: boolean;
            incident: string;
            text: string;
        };
        ReviewText: {
            /** @description Markdown; begin from the draft */
            text: string;
        };
        RuleHygiene: {
            /** Format: int64 */
            acted: number;
            /** Format: int64 */
            alerts: number;
            /** Format: int64 */
            bound: number;
            findings: string[];
            /** Format: int64 */
            held: number;
            /** Format: int64 */
            incidents: number;
            longest: string;
            /** Format: int64 */
            most_in_day: number;
            rule: string;
            text: string;
        };
        RulePair: {
            /** Format: int64 */
            incidents: number;
            rules: string[];
        };
        SectionState: {
            name: string;
            problems?: components["schemas"]["ReportProblem"][];
            /** Format: date-time */
            received_at?: string;
            rejected?: string;
        };
        Service: {
            /** Format: double */
            availability_objective?: number;
            class?: string;
            criticality?: string;
            /** @description Its configuration item, where it has one */
            id?: string;
            /** @description The newest of its open incidents, at most 20 */
            incidents: string[];
            name: string;
            /** Format: int64 */
            open_incidents: number;
            owner?: string;
            /**
             * Format: int64
             * @description The gravest of its open incidents
             */
            priority?: number;
            /**
             * @description down: an open incident of priority 1 or 2; degraded: any other open one
             * @enum {string}
             */
            state: "ok" | "degraded" | "down";
            team?: string;
        };
        Side: {
            alerts?: string[][];
            cause?: string;
            cause_name?: string;
        };
        SinglePoint: {
            class: string;
            criticality?: string;
            /** Format: int64 */
            cuts: number;
            /** Format: int64 */
            hops: number;
            id: string;
            liveness: string;
            name: string;
            via?: string;
        };
        Snapshot: {
            /** Format: date-time */
            at: string;
            ci: components["schemas"]["CI"];
            exists: boolean;
            relations?: string[];
            software?: {
                [key: string]: string;
            };
        };
        Software: {
            ecosystem?: string;
            fixed_in: string;
            items: string[];
            pending: string[];
            product: string;
        };
        SoftwareArgs: {
            /** @description Whose rules order its versions: deb, rpm, apk, npm, pypi, ... */
            ecosystem?: string;
            /** @description The first version without the defect */
            fixed_in: string;
            /** @description Items that need it, by id or class:name; without any, the suspected causes of its incidents */
            items?: string[];
            note?: string;
            /** @description A package, or the service or workload that is deployed */
            product: string;
            reason?: string;
        };
        Source: {
            /**
             * Format: int64
             * @description Alerts whose starts_at lay in the future or too far back so far: a clock may be wrong
             */
            clamped_alerts: number;
            /** Format: date-time */
            last_heard_at?: string;
            /** @description Its name in alerts */
            source: string;
            /**
             * Format: int64
             * @description Its alerts that nobody has spoken of for too long
             */
            stale_alerts: number;
            /**
             * @description never heard since it exists, heard of late, or silent: for longer than an alert may go unmentioned, or its watchdog is missing, or its alerts are stale
             * @enum {string}
             */
            state: "never" | "healthy" | "silent";
            /** @description The credentials it may use; empty: all were revoked */
            tokens: components["schemas"]["Token"][];
            /**
             * Format: int64
             * @description Alerts that it left out of its bodies so far (max_alerts): they were never received
             */
            truncated_alerts: number;
            /** @description What is not known of it, and the mend */
            warning?: string;
            /** @description What speaks for silent */
            why?: string;
        };
        SplitArgs: {
            /** @description Ids of the alerts that leave */
            alerts: string[];
            reason?: string;
            /** @description false: only this once; without it, alerts like these are kept apart from failures like this one later (see /api/v1/teachings) */
            teach?: boolean;
        };
        State: {
            status: string;
        };
        Status: {
            /** @description How many received alerts ended how; their sum is alerts_received */
            alert_fates: {
                [key: string]: number;
            };
            /** Format: int64 */
            alerts_firing: number;
            /** Format: int64 */
            alerts_held: number;
            /** Format: int64 */
            alerts_received: number;
            /** Format: int64 */
            alerts_stale: number;
            /**
             * Format: int64
             * @description Journaled events that are not decided yet
             */
            backlog: number;
            /** Format: int64 */
            open_incidents: number;
            /**
             * Format: int64
             * @description Newest decided event of the journal
             */
            position: number;
            /** Format: date-time */
            started_at: string;
            version: string;
        };
        StreamEvent: {
            /** @description The record that changed; empty for very many items or tasks at once */
            id: string;
            /** @enum {string} */
            kind: "incident" | "alert" | "problem" | "maintenance" | "ci" | "task";
            /**
             * Format: int64
             * @description Of the event in the journal that changed it; 0 for what the inventory keeps outside of it
             */
            position: number;
        };
        SuspectChange: {
            /** Format: date-time */
            at: string;
            ci: string;
            name: string;
            summary: string;
            type: string;
            version?: string;
        };
        Taken: {
            /**
             * Format: int64
             * @description Alerts that were taken
             */
            accepted: number;
            /**
             * Format: int64
             * @description Objects that could not be read; /api/v1/quarantine has them with the reason
             */
            quarantined?: number;
            /** @enum {string} */
            status: "ok";
        };
        Task: {
            ci?: string;
            /** Format: int64 */
            count: number;
            done?: string;
            /** Format: date-time */
            done_at?: string;
            evidence?: components["schemas"]["Verdict"];
            id: string;
            kind: string;
            /** Format: date-time */
            last_at: string;
            /** Format: date-time */
            opened_at: string;
            others?: string[];
            seen: components["schemas"]["Identifiers"];
            site?: string;
            site_key?: string;
            summary: string;
        };
        TaskAcceptance: {
            /** @description Which of the newcomers it is, where the task names several */
            other?: string;
        };
        Teaching: {
            a: components["schemas"]["Side"];
            /** Format: date-time */
            at: string;
            b?: components["schemas"]["Side"];
            by: string;
            from?: string;
            id: string;
            kind: string;
            /** Format: date-time */
            last_used_at?: string;
            reason?: string;
            text: string;
            /** Format: int64 */
            uses: number;
            /** Format: date-time */
            withdrawn_at?: string;
            withdrawn_by?: string;
        };
        TextArgs: {
            note: string;
        };
        TimelineEntry: {
            actor: string;
            /** Format: date-time */
            at: string;
            /** @description opened, alert, state, note, priority, acknowledged, assigned, merge, ... */
            kind: string;
            /**
             * Format: int64
             * @description Of the event in the journal that caused it
             */
            position: number;
            /**
             * Format: int64
             * @description From 1, without gaps
             */
            seq: number;
            text: string;
        };
        Token: {
            /** @description Of role agent: the only item it may report for; without one it joins new agents */
            ci?: string;
            /** Format: date-time */
            created_at: string;
            created_by: string;
            expired?: boolean;
            /** Format: date-time */
            expires_at?: string;
            id: string;
            /**
             * Format: date-time
             * @description To the hour
             */
            last_used_at?: string;
            /**
             * Format: int64
             * @description Of role agent: how many hosts it lets in; 0 or none: any number. A host that shows its earlier credential does not count
             */
            max_uses?: number;
            name: string;
            /** @description Of role agent: the networks that hosts must come from, as prefixes */
            networks?: string[];
            /** @enum {string} */
            role: "viewer" | "responder" | "manager" | "admin" | "ingest" | "agent";
            /** @description Of role agent: the only mesh site that its hosts may be members of */
            site?: string;
            /** @description Of role ingest: the alert source */
            source?: string;
            /** @description Whose acts it does */
            user?: string;
            /**
             * Format: int64
             * @description Of a join token with max_uses: the hosts that it has let in
             */
            uses?: number;
        };
        Told: {
            /** Format: date-time */
            at: string;
            /** Format: date-time */
            done_at?: string;
            id: string;
            step: string;
            /** @description Receivers; without it whom the routes name */
            to?: string[];
        };
        Unknown: {
            /** @description Which change of the body */
            field: string;
            message: string;
        };
        User: {
            /** Format: date-time */
            created_at: string;
            created_by: string;
            disabled: boolean;
            display?: string;
            name: string;
            /** @description Whether one is set; without one only login links let them in */
            password: boolean;
            /** @enum {string} */
            role: "viewer" | "responder" | "manager" | "admin";
        };
        UserEdit: {
            disabled?: boolean;
            display?: string;
            /** @description At least 12 characters; empty takes it away */
            password?: string;
            /** @enum {string} */
            role?: "viewer" | "responder" | "manager" | "admin";
        };
        Verdict: {
            ci?: string;
            cloned?: string;
            contested?: components["schemas"]["Finding"][];
            findings?: components["schemas"]["Finding"][];
            outcome: string;
            proposals?: components["schemas"]["Finding"][];
            reimaged?: boolean;
            rule?: string;
        };
        Verified: {
            /** Format: int64 */
            bytes: number;
            /** Format: int64 */
            documents: number;
            /** Format: int64 */
            index_entries: number;
            /** Format: int64 */
            journal_events: number;
            /** Format: int64 */
            rows: number;
            /**
             * Format: int64
             * @description Files of the store that were read with their checksums
             */
            tables: number;
            /** @description What is damaged or does not belong together; empty: nothing is */
            wrong: string[];
        };
        Version: {
            /** Format: int64 */
            hosts: number;
            version: string;
        };
        View: {
            columns?: string[];
            name: string;
            owner?: string;
            q: string;
            sort?: string;
        };
        Who: {
            /** @description How records name the caller */
            actor: string;
            password: boolean;
            /** @enum {string} */
            role: "viewer" | "responder" | "manager" | "admin";
            user?: string;
            /** @description Of the server */
            version: string;
            /** @enum {string} */
            via: "session" | "token";
        };
        WhyArgs: {
            reason?: string;
        };
        WrongLine: {
            /** Format: int64 */
            line: number;
            message: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    healthy: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["State"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    ready: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    reload: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reloaded"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "enroll-agent": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description EnrollRequest; gzip is fine */
        requestBody: {
            content: {
                "application/json": unknown;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReportEnrollReply"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "report-agent": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Envelope; gzip is fine */
        requestBody: {
            content: {
                "application/json": unknown;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReportReply"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-alerts": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageAlert"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-alert": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Alert"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-audit": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageAudit"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "export-audit": {
        parameters: {
            query?: {
                /** @description Filter */
                q?: string;
                format?: "jsonl" | "csv";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The rows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": string;
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    backup: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The copy */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/gzip": string;
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-cis": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CIPage"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "create-ci": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CIWrite"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CIDetail"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "complete-query": {
        parameters: {
            query?: {
                q?: string;
                /** @description Byte of the query; without it its end */
                at?: number;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Completion"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "import-cis": {
        parameters: {
            query?: {
                /** @description Whose words these are */
                source?: string;
                /** @description For files without a column class */
                class?: string;
                dry_run?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "text/csv": string;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImportReport"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "edit-cis": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BulkEdit"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImportReport"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "export-cis": {
        parameters: {
            query?: {
                q?: string;
                sort?: string;
                format?: "csv" | "json";
                /** @description Of CSV: id, class, name, liveness, first_seen, last_seen, tags, aliases, label.NAME, or attributes; separated by commas */
                columns?: string[];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The items */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": string;
                    "text/csv": string;
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-ci": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CIDetail"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "delete-ci": {
        parameters: {
            query?: {
                /** @description Also a machine that reports, or a place that holds something */
                force?: boolean;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "edit-ci": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CIEdit"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CIDetail"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "diff-ci": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
                /** @description The other item; without it the same one */
                with?: string;
                /** @description Time of the first; without it now */
                at?: string;
                /** @description Time of the other; without it now */
                with_at?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageDifference"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-ci-graph": {
        parameters: {
            query?: {
                hops?: number;
                /** @description needs: what it depends on; dependents: what depends on it */
                direction?: "both" | "needs" | "dependents";
                /** @description Only relations of these types, separated by commas */
                types?: string[];
                /** @description Most nodes */
                limit?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Graph"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-ci-health": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-ci-history": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
                /** @description Only this field */
                field?: string;
                /** @description Only what changed at or after */
                since?: string;
                /** @description Only what changed before */
                until?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageEntry"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-ci-impact": {
        parameters: {
            query?: {
                hops?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Impact"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-ci-past": {
        parameters: {
            query: {
                at: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Snapshot"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-ci-sbom": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The bill */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/vnd.cyclonedx+json": Record<string, never>;
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-ci-section": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
                section: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-single-points": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
                hops?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageSinglePoint"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-classes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Classes"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-costs": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
                /** @description owner, team, location, class, ... */
                by?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageCost"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-coverage": {
        parameters: {
            query?: {
                /** @description Only machines that match */
                q?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Coverage"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-endings": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
                /** @description How far to look: 90d, 52w */
                within?: string;
                /** @description Only these date fields, separated by commas */
                fields?: string[];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageEnding"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    export: {
        parameters: {
            query?: {
                /** @description First instant; without it from the journal's begin */
                from?: string;
                /** @description End, exclusive; without it up to now */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The recording */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/gzip": string;
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-hygiene": {
        parameters: {
            query?: {
                days?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HygieneReport"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    import: {
        parameters: {
            query?: {
                /** @description Whose words these are, among the sources of an item */
                source?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/x-ndjson": string;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Imported"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-incidents": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageIncident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "create-incident": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewIncident"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-incident": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "edit-incident": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["EditArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "acknowledge-incident": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["NoteArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-incident-alerts": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageAlert"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "assign-incident": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["AssignArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "cancel-incident": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ReasonArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "close-incident": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["NoteArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "hold-incident": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["HoldArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "major-incident": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["MajorArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "merge-incident": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["MergeArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "minor-incident": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ReasonArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "notes-incident": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["TextArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-incident-notifications": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageTold"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "reopen-incident": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ReasonArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "resolve-incident": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ResolveArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "resume-incident": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["NoteArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-incident-review": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Review"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "write-incident-review": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ReviewText"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Review"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "split-incident": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SplitArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Incident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-incident-timeline": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageTimelineEntry"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "ingest-alertmanager": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description The body that Alertmanager posts; unknown fields are fine */
        requestBody: {
            content: {
                "application/json": unknown;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Taken"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "ingest-changes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description One change or an array of changes */
        requestBody: {
            content: {
                "application/json": unknown;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Noted"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "ingest-grafana": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description The body that Grafana posts; unknown fields are fine */
        requestBody: {
            content: {
                "application/json": unknown;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Taken"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-kpis": {
        parameters: {
            query?: {
                /** @description RFC 3339 time, or a date: its begin in tz; without it 30 days before to */
                from?: string;
                /** @description End, exclusive; without it now */
                to?: string;
                /** @description Break the figures down by this */
                by?: string;
                /** @description IANA zone of dates, e.g. Europe/Berlin */
                tz?: string;
                /** @description json or csv */
                format?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The report */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                    "text/csv": string;
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Login"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Who"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "create-login-link": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewLoginLink"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginLink"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    logout: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-maintenance": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
                /** @description Only planned and active ones */
                open?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageMaintenance"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "create-maintenance": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewMaintenance"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Maintenance"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-maintenance": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Maintenance"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "cancel-maintenance": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["WhyArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Maintenance"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "cover-maintenance": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CoverArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Maintenance"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "end-maintenance": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["WhyArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Maintenance"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "extend-maintenance": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ExtendArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Maintenance"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-maintenance-timeline": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageTimelineEntry"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-merges": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageMerge"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "merge-cis": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MergeWish"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Merge"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "unmerge-cis": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CI"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-outages": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageOutage"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "correct-outage": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CorrectOutage"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outage"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-problems": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "create-problem": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewProblem"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-problem": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "edit-problem": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ProblemEdit"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "assess-problem": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ReasonArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "assign-problem": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["AssignArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "close-problem": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ReasonArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "fix-problem": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CauseArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-problem-incidents": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageIncident"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "known-error-problem": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["KnownArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "link-problem": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["LinkArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "notes-problem": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["TextArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "reopen-problem": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ReasonArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "resolve-problem": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["MendArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "root-cause-problem": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ReasonArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "software-problem": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SoftwareArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-problem-timeline": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageTimelineEntry"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "unlink-problem": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["LinkArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "workaround-problem": {
        parameters: {
            query?: never;
            header?: {
                /** @description The revision that the act is based on */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["AroundArgs"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProblemRecord"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-quality": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Quality"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-quarantine": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageQuarantined"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "resolve-references": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["References"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Resolved"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "write-relation": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RelationWrite"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-service-proposals": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageProposal"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-services": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageService"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "create-service": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewService"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CIDetail"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Who"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "set-own-password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Who"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-software": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
                /** @description Ecosystem: deb, rpm, npm, ... */
                type?: string;
                /** @description Only hosts that match this query of items */
                cis?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageProduct"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-sources": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageSource"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "create-source": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewSource"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MadeSource"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Status"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    stream: {
        parameters: {
            query?: {
                /** @description Only these kinds, separated by commas */
                kinds?: string;
            };
            header?: {
                /** @description The id of the last event that was seen */
                "Last-Event-ID"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The stream */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-tasks": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
                /** @description Also those that were decided */
                all?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageTask"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "accept-task": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TaskAcceptance"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "close-task": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Close-taskRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Task"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-teachings": {
        parameters: {
            query?: {
                /** @description Also what was withdrawn */
                all?: boolean;
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageTeaching"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "create-teaching": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewTeaching"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Teaching"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-teaching": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Teaching"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "withdraw-teaching": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Teaching"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-tokens": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
                role?: "viewer" | "responder" | "manager" | "admin" | "ingest" | "agent";
                /** @description Also the credentials of agents that joined */
                agents?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageToken"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "create-token": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewToken"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MadeToken"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "revoke-token": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-users": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageUser"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "create-user": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewUser"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    ETag?: string;
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "get-user": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "delete-user": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "edit-user": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserEdit"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    verify: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Verified"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "list-views": {
        parameters: {
            query?: {
                /** @description Filter, e.g. state:open priority<=2 "disk full" */
                q?: string;
                /** @description Order; a minus turns it round */
                sort?: string;
                /** @description Most items of a page */
                limit?: number;
                /** @description next of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageView"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "save-view": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewView"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["View"];
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "delete-view": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Metrics */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description A problem */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
