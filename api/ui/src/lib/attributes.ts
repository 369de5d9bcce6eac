import { bytes, words } from './text';

/** A value of an item's attribute as people read it. */
export function show(name: string, v: unknown): string {
  if (v === null || v === undefined) return '';
  if (Array.isArray(v)) return v.map((x) => show('', x)).join(', ');
  if (typeof v === 'boolean') return v ? 'yes' : 'no';
  if (typeof v === 'number') return name.endsWith('_bytes') ? bytes(v) : v.toLocaleString();
  if (typeof v === 'object') return JSON.stringify(v);
  return String(v);
}

const labels: Record<string, string> = {
  os: 'OS', os_name: 'System', os_version: 'System version', os_family: 'OS family', os_codename: 'Codename', fqdn: 'FQDN', cpu_model: 'CPU', cpu_cores: 'CPU cores', cpu_threads: 'CPU threads', cpu_sockets: 'CPU sockets',
  memory_bytes: 'Memory', swap_bytes: 'Swap', disk_bytes: 'Disks', product_uuid: 'Product UUID', machine_id: 'Machine ID', agent_id: 'Agent ID', macs: 'MAC addresses', vm_id: 'VM ID', url: 'URL',
};

/** "boot_time" → "Boot time". */
export function label(name: string): string {
  return labels[name] ?? words(name);
}

const groups: [string, string[]][] = [
  ['Identity', ['hostname', 'fqdn', 'addresses', 'macs', 'machine_id', 'product_uuid', 'serial_number', 'vendor', 'product', 'asset_tag', 'agent_id', 'agent_version', 'vm_id']],
  ['System', ['os_name', 'os', 'os_version', 'os_codename', 'os_family', 'kernel', 'arch', 'virtualization', 'container', 'boot_time', 'timezone']],
  ['Hardware', ['cpu_model', 'cpu_sockets', 'cpu_cores', 'cpu_threads', 'memory_bytes', 'swap_bytes', 'disk_bytes', 'disk_serials']],
  ['Care', ['criticality', 'owner', 'team', 'location', 'environment', 'lifecycle', 'description', 'supplier', 'contract', 'purchased', 'warranty_end', 'end_of_life', 'cost', 'currency', 'cost_center']],
];

/** Attributes sorted into groups a reader knows; what no group names comes last. */
export function grouped(attributes: Record<string, unknown>): [string, string[]][] {
  const left = new Set(Object.keys(attributes));
  const out: [string, string[]][] = [];
  for (const [title, names] of groups) {
    const here = names.filter((n) => left.delete(n));
    if (here.length) out.push([title, here]);
  }
  if (left.size) out.push(['More', [...left].sort()]);
  return out;
}

/** What a person typed, as the value of a field of the type; the server says what is wrong with it. */
export function parse(type: string, text: string): unknown {
  const list = () => text.split(',').map((s) => s.trim()).filter(Boolean);
  const number = (s: string) => (s.trim() !== '' && Number.isFinite(Number(s)) ? Number(s) : s);
  switch (type) {
    case 'number':
      return number(text);
    case 'numbers':
      return list().map(number);
    case 'texts':
    case 'addresses':
      return list();
    case 'bool':
      return /^(yes|true|1)$/i.test(text.trim()) ? true : /^(no|false|0)$/i.test(text.trim()) ? false : text;
    default:
      return text;
  }
}

/** The fields that people keep, in the order of their cards. */
export const cared = groups.find(([title]) => title === 'Care')![1];
