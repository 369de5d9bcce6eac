import { Button } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'wouter';
import { fetchProblems, readAll, useMay, useProblems, type Problem } from '../api/queries';
import { Priority, StateChip, Toggle } from '../components/bits';
import { FilterText, FilterToggle, terms } from '../components/Filter';
import { State } from '../components/State';
import { Table, type Column } from '../components/Table';
import { useTitle } from '../lib/title';
import { Time } from '../lib/time';
import { useKeys } from '../lib/keys';
import { useUrlState } from '../lib/url';
import { NewProblem } from './NewProblem';

const columns: Column<Problem>[] = [
  { id: 'priority', label: 'Priority', width: 'fit', sort: 'priority', first: true, bare: true, cell: (p) => <Priority value={p.priority} />, text: (p) => p.priority },
  {
    id: 'title', label: 'Problem', width: 'lead', sort: 'title', bare: true,
    cell: (p) => (
      <Link href={`/problems/${p.id}`} className="primary">
        {p.title}
      </Link>
    ),
    text: (p) => p.title,
  },
  { id: 'state', label: 'State', width: 'fit', sort: 'state', bare: true, cell: (p) => <StateChip state={p.state} />, text: (p) => p.state },
  { id: 'known', label: 'Known error', width: 'fit', bare: true, cell: (p) => (p.known_error ? <span className="chip warn">known error</span> : null), text: (p) => (p.known_error ? 'yes' : 'no') },
  { id: 'incidents', label: 'Incidents', width: 'fit', align: 'end', sort: 'incidents', cell: (p) => p.incidents, text: (p) => p.incidents },
  { id: 'last', label: 'Last seen', width: 'fit', sort: 'last', cell: (p) => <Time at={p.last_incident_at} />, text: (p) => p.last_incident_at },
  { id: 'opened', label: 'Opened', width: 'fit', sort: 'opened', cell: (p) => <Time at={p.opened_at} />, text: (p) => p.opened_at },
  { id: 'assignee', label: 'Assignee', width: 'fit', cell: (p) => p.assignee || null, text: (p) => p.assignee ?? '' },
  { id: 'id', label: 'ID', width: 'fit', optional: true, cell: (p) => <code>{p.id}</code>, text: (p) => p.id },
];

export default function Problems() {
  const [params, set] = useUrlState();
  useTitle('Problems');
  const show = params.get('show') ?? 'open';
  const list = { q: terms(params.get('q'), show === 'open' && 'state:open', params.get('known') && 'known_error:yes'), sort: params.get('sort') ?? '-opened' };
  const rows = useProblems(list);
  const may = useMay('responder');
  const [creating, setCreating] = useState(false);
  useKeys({ c: may ? () => setCreating(true) : undefined });
  const filtered = params.get('q') || params.get('known');
  return (
    <div className="page fill">
      <div className="page-head">
        <h1 className="grow">Problems</h1>
        {may && <Button variant="default" onClick={() => setCreating(true)}>Open by hand<span className="btn-key">c</span></Button>}
      </div>
      <div className="filters">
        <FilterText placeholder="Filter: db1, incidents>3, known_error:yes" />
        <div className="row" role="group" aria-label="Which problems">
          <Toggle on={show === 'open'} onClick={() => set({ show: null })}>
            Open
          </Toggle>
          <Toggle on={show === 'all'} onClick={() => set({ show: 'all' })}>
            All
          </Toggle>
        </div>
        <FilterToggle name="known">Known errors</FilterToggle>
      </div>
      <Table
        name="problems"
        label="Problems"
        noun="problem"
        columns={columns}
        rows={rows}
        rowKey={(p) => p.id}
        href={(p) => `/problems/${p.id}`}
        all={(progress) => readAll((cursor) => fetchProblems({ ...list, limit: 1000, cursor }), progress)}
        empty={
          filtered ? (
            <State icon="search" title="No problem passes the filter" action={<Button variant="default" onClick={() => set({ q: null, known: null })}>Show all</Button>} />
          ) : (
            <State icon="problems" title={show === 'open' ? 'No open problem' : 'No problem yet'}>
              When incidents with the same cause and the same alerts come back, Watchbill opens a problem for them by itself.
            </State>
          )
        }
      />
      {creating && <NewProblem close={() => setCreating(false)} />}
    </div>
  );
}
