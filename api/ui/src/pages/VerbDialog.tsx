import { Button, Checkbox, Modal, Select, Textarea, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { Fault } from '../api/client';
import { fetchIncidents, useMe, type Alert, type Incident, type useVerb, type Verb } from '../api/queries';
import { scale } from './NewIncident';

const titles: Partial<Record<Verb, string>> = { assign: 'Assign', hold: 'Put on hold', resolve: 'Resolve', reopen: 'Reopen', cancel: 'Cancel the incident', merge: 'Merge into another incident', split: 'Split alerts off', edit: 'Edit', major: 'Declare a major incident', minor: 'No longer a major incident' };
const holds = [
  { value: 'caller', label: 'waits for the caller' },
  { value: 'vendor', label: 'waits for a vendor' },
  { value: 'problem', label: 'waits for a problem' },
  { value: 'change', label: 'waits for a change' },
];

interface Props {
  verb: Verb;
  incident: Incident;
  alerts: Alert[];
  act: ReturnType<typeof useVerb>;
  close: () => void;
  /** Called with the incident that answers. */
  done: (id: string) => void;
}

/** Asks for what a verb needs. A refusal is shown with what is possible instead. */
export function VerbDialog({ verb, incident, alerts, act, close, done }: Props) {
  const me = useMe();
  const [v, setV] = useState<Record<string, string>>(
    verb === 'edit' ? { title: incident.title, impact: String(incident.impact), urgency: String(incident.urgency) } : verb === 'assign' ? { assignee: incident.assignee ?? me.data?.name ?? '', team: incident.team ?? '' } : {},
  );
  const [picked, setPicked] = useState<Set<string>>(new Set());
  const set = (k: string) => (x: string | null) => setV((o) => ({ ...o, [k]: x ?? '' }));
  const open = useQuery({ queryKey: ['incidents', 'merge'], enabled: verb === 'merge', queryFn: () => fetchIncidents({ sort: 'attention', limit: 200 }) });
  const fault = act.error ? Fault.of(act.error) : undefined;

  const body = (): Record<string, unknown> => {
    if (verb === 'split') return { alerts: [...picked], reason: v.reason || undefined };
    if (verb === 'edit') {
      return {
        title: v.title !== incident.title ? v.title : undefined,
        impact: Number(v.impact) !== incident.impact ? Number(v.impact) : undefined,
        urgency: Number(v.urgency) !== incident.urgency ? Number(v.urgency) : undefined,
        reason: v.reason || undefined,
      };
    }
    return Object.fromEntries(Object.entries(v).filter(([, x]) => x !== ''));
  };
  const submit = (e: FormEvent) => {
    e.preventDefault();
    act.mutate({ verb, body: body() }, {
      onSuccess: (i) => {
        close();
        done(i.id);
      },
    });
  };
  const shut = () => {
    act.reset();
    close();
  };
  const ready = verb === 'hold' ? !!v.reason : verb === 'merge' ? !!v.into : verb === 'split' ? picked.size > 0 && picked.size < alerts.length : verb === 'assign' ? !!(v.assignee || v.team) : true;
  const reweighed = verb === 'edit' && (Number(v.impact) !== incident.impact || Number(v.urgency) !== incident.urgency);

  return (
    <Modal opened onClose={shut} title={titles[verb]} size={verb === 'split' ? 'lg' : 'md'} closeButtonProps={{ 'aria-label': 'Close' }}>
      <form className="stack" onSubmit={submit}>
        {verb === 'assign' && (
          <>
            <TextInput label="Person" value={v.assignee ?? ''} onChange={(e) => set('assignee')(e.currentTarget.value)} error={fault?.fields.assignee} data-autofocus />
            <TextInput label="Team" value={v.team ?? ''} onChange={(e) => set('team')(e.currentTarget.value)} error={fault?.fields.team} />
          </>
        )}
        {verb === 'hold' && <Select label="It" data={holds} value={v.reason ?? null} onChange={set('reason')} placeholder="waits for …" error={fault?.fields.reason} data-autofocus />}
        {verb === 'resolve' && <Textarea label="What mended it" autosize minRows={3} value={v.resolution ?? ''} onChange={(e) => set('resolution')(e.currentTarget.value)} data-autofocus />}
        {verb === 'merge' && (
          <Select
            label="Which one takes its alerts over"
            searchable
            data={(open.data?.items ?? []).filter((i) => i.id !== incident.id).map((i) => ({ value: i.id, label: `${i.id} · P${i.priority} · ${i.title}` }))}
            value={v.into ?? null}
            onChange={set('into')}
            nothingFoundMessage={open.isFetching ? 'Loading' : 'No other incident is open'}
            error={fault?.fields.into}
            data-autofocus
          />
        )}
        {verb === 'edit' && (
          <>
            <TextInput label="Title" value={v.title ?? ''} onChange={(e) => set('title')(e.currentTarget.value)} error={fault?.fields.title} data-autofocus />
            <div className="row">
              <Select label="Impact" data={scale} value={v.impact} onChange={set('impact')} error={fault?.fields.impact} />
              <Select label="Urgency" data={scale} value={v.urgency} onChange={set('urgency')} error={fault?.fields.urgency} />
              <span className="muted" style={{ alignSelf: 'end', paddingBottom: 6 }}>
                Priority {Number(v.impact) + Number(v.urgency) - 1}
              </span>
            </div>
          </>
        )}
        {verb === 'split' && (
          <fieldset className="picks">
            <legend>Which alerts leave for an incident of their own</legend>
            {alerts.map((a) => (
              <Checkbox
                key={a.id}
                size="xs"
                checked={picked.has(a.id)}
                label={`${a.name} on ${a.binding?.name ?? 'no item'} (${a.status})`}
                onChange={(e) => {
                  const next = new Set(picked);
                  if (e.currentTarget.checked) next.add(a.id);
                  else next.delete(a.id);
                  setPicked(next);
                }}
              />
            ))}
          </fieldset>
        )}
        {(verb === 'reopen' || verb === 'cancel' || verb === 'merge' || verb === 'split' || verb === 'major' || verb === 'minor' || reweighed) && (
          <TextInput label="Why" {...(verb === 'reopen' || verb === 'cancel' || verb === 'major' || verb === 'minor' ? { 'data-autofocus': true } : {})} required={reweighed} value={v.reason ?? ''} onChange={(e) => set('reason')(e.currentTarget.value)} error={fault?.fields.reason} />
        )}
        {(verb === 'assign' || verb === 'hold') && <Textarea label="Note" autosize minRows={2} value={v.note ?? ''} onChange={(e) => set('note')(e.currentTarget.value)} />}
        {fault && (
          <p className="note bad" role="alert">
            {fault.message}
          </p>
        )}
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={shut}>
            Back
          </Button>
          <Button type="submit" disabled={!ready} loading={act.isPending}>
            {titles[verb]}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
