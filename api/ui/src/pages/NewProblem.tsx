import { Button, Modal, Select, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { api, Fault, must } from '../api/client';

const priorities = ['critical', 'high', 'moderate', 'low', 'planning'].map((name, n) => ({ value: String(n + 1), label: `${n + 1} · ${name}` }));

/** Opens a problem by hand, for the incidents that it explains. */
export function NewProblem({ close, incidents: given = [] }: { close: () => void; incidents?: string[] }) {
  const [, go] = useLocation();
  const client = useQueryClient();
  const [title, setTitle] = useState('');
  const [description, setDescription] = useState('');
  const [priority, setPriority] = useState('3');
  const [incidents, setIncidents] = useState(given.join(' '));
  const create = useMutation({
    mutationFn: () => must(api.POST('/api/v1/problems', { body: { title, description: description || undefined, priority: Number(priority), incidents: incidents.split(/[\s,]+/).filter(Boolean) } })),
    onSuccess: (p) => {
      void client.invalidateQueries({ queryKey: ['problems'] });
      for (const i of given) void client.invalidateQueries({ queryKey: ['incident', i] });
      close();
      go(`/problems/${p.id}`);
    },
  });
  const fault = create.error ? Fault.of(create.error) : undefined;
  return (
    <Modal opened onClose={close} title="Open a problem" closeButtonProps={{ 'aria-label': 'Close' }}>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); create.mutate(); }}>
        <TextInput label="What comes back, or might" required value={title} onChange={(e) => setTitle(e.currentTarget.value)} error={fault?.fields.title} data-autofocus />
        <Textarea label="More" autosize minRows={3} value={description} onChange={(e) => setDescription(e.currentTarget.value)} error={fault?.fields.description} />
        <Select label="Priority" data={priorities} value={priority} onChange={(v) => setPriority(v ?? '3')} error={fault?.fields.priority} />
        <TextInput label="Incidents that it explains" placeholder="INC00000001 INC00000002" value={incidents} onChange={(e) => setIncidents(e.currentTarget.value)} error={fault?.fields.incidents} />
        {fault && <p className="note bad" role="alert">{fault.message}</p>}
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={close}>Back</Button>
          <Button type="submit" loading={create.isPending}>Open problem</Button>
        </div>
      </form>
    </Modal>
  );
}
