import { Menu, Modal, Switch, useMantineColorScheme } from '@mantine/core';
import { Spotlight, spotlight, type SpotlightActionData } from '@mantine/spotlight';
import { useMemo, useState, type ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { useLive } from '../api/live';
import { signOut, useFind, useOpenCount, type Me } from '../api/queries';
import { keysOn, setKeysOn, useKeys } from '../lib/keys';
import { words } from '../lib/text';
import { Icon, type IconName } from './Icon';

interface Place {
  to: string;
  label: string;
  icon: IconName;
  keys?: string;
  wide?: boolean;
}

const places: Place[] = [
  { to: '/', label: 'Now', icon: 'now', keys: 'g n' },
  { to: '/alerts', label: 'Alerts', icon: 'alerts', keys: 'g a' },
  { to: '/problems', label: 'Problems', icon: 'problems', keys: 'g p' },
  { to: '/services', label: 'Services', icon: 'service', keys: 'g v' },
  { to: '/inventory', label: 'Inventory', icon: 'inventory', keys: 'g i' },
  { to: '/software', label: 'Software', icon: 'software', keys: 'g s', wide: true },
  { to: '/maintenance', label: 'Maintenance', icon: 'maintenance', keys: 'g m', wide: true },
  { to: '/kpis', label: 'KPIs', icon: 'kpis', keys: 'g k' },
];
/** Reached from the page that they stand under, and by the palette. */
const hidden: Place[] = [
  { to: '/hygiene', label: 'Rule hygiene: rules that cost attention without being of use', icon: 'alerts' },
  { to: '/teachings', label: 'Teachings: what people taught the correlator', icon: 'help' },
  { to: '/tasks', label: 'Inventory tasks', icon: 'inventory' },
  { to: '/quality', label: 'Inventory quality', icon: 'inventory' },
  { to: '/endings', label: 'What ends: warranties, certificates', icon: 'inventory' },
];
const settings: Place[] = [
  { to: '/sources', label: 'Sources', icon: 'sources', keys: 'g o', wide: true },
  { to: '/tokens', label: 'Tokens', icon: 'tokens', keys: 'g t', wide: true },
  { to: '/audit', label: 'Audit', icon: 'audit', keys: 'g u', wide: true },
  { to: '/start', label: 'First steps', icon: 'start', keys: 'g f', wide: true },
];

/** The pages that stand under another one. */
const under: Record<string, string[]> = { '/': ['/incidents'], '/alerts': ['/hygiene', '/teachings'], '/inventory': ['/tasks', '/quality', '/endings'] };

function here(path: string, to: string) {
  return (to === '/' ? path === '/' : path.startsWith(to)) || (under[to] ?? []).some((p) => path.startsWith(p));
}

export function Shell({ me, children }: { me: Me; children: ReactNode }) {
  const [path, go] = useLocation();
  const [help, setHelp] = useState(false);
  const open = useOpenCount();
  const bindings = Object.fromEntries([...places, ...settings].map((p) => [p.keys!, () => go(p.to)]));
  useKeys({ ...bindings, '?': () => setHelp(true), '/': focusSearch });

  const link = (p: Place) => (
    <Link key={p.to} href={p.to} className={`nav-link ${p.wide ? 'wide' : ''}`} aria-current={here(path, p.to) ? 'page' : undefined} title={p.keys ? `${p.label} (${p.keys})` : p.label}>
      <Icon name={p.icon} />
      {p.label}
      {p.to === '/' && open.badge !== '0' && (
        <span className={`count ${open.unacknowledged > 0 ? 'hot' : ''}`} title={`${open.total} open`}>
          {open.badge}
          <span className="sr">{open.unacknowledged > 0 ? ' unacknowledged' : ' open'}</span>
        </span>
      )}
    </Link>
  );

  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="bar">
        <Brand />
        <Live />
        <IconButton label="Search and commands" icon="search" onClick={spotlight.open} />
        <Account me={me} help={() => setHelp(true)} more />
      </header>
      <nav className="nav" aria-label="Pages">
        <Brand />
        {places.map(link)}
        <div className="nav-sep" />
        {settings.map(link)}
        <div className="nav-foot">
          <button type="button" className="nav-link" style={button} onClick={spotlight.open}>
            <Icon name="search" /> Search <kbd style={{ marginLeft: 'auto' }}>{mac ? '⌘' : 'Ctrl'} K</kbd>
          </button>
          <Live words />
          <Account me={me} help={() => setHelp(true)} />
        </div>
      </nav>
      <main className="main" id="main" tabIndex={-1}>
        {children}
      </main>
      <Palette help={() => setHelp(true)} />
      <Shortcuts opened={help} close={() => setHelp(false)} />
    </div>
  );
}

const button = { border: 0, background: 'none', font: 'inherit', fontWeight: 550, cursor: 'pointer', width: '100%' } as const;
const mac = /Mac|iP(hone|ad)/.test(navigator.userAgent);

function focusSearch() {
  document.querySelector<HTMLInputElement>('[data-search] input, input[data-search]')?.focus();
}

function Brand() {
  return (
    <Link href="/" className="brand">
      <img src="/favicon.svg" width={22} height={22} alt="" /> Watchbill
    </Link>
  );
}

function IconButton({ label, icon, onClick }: { label: string; icon: IconName; onClick: () => void }) {
  return (
    <button type="button" className="nav-link" style={{ ...button, width: 'auto', flex: 'none' }} aria-label={label} title={label} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}

/** Says in one dot whether what is on screen is current. */
function Live({ words: withWords }: { words?: boolean }) {
  const live = useLive();
  const text = { connecting: 'Connecting', live: 'Live', lost: 'Reconnecting' }[live];
  return (
    <span className="live" role="status" title={live === 'lost' ? 'The connection broke. What you see may be old; the page reconnects by itself.' : 'Changes appear by themselves.'}>
      <span className={`dot ${live === 'live' ? '' : live === 'lost' ? 'wait' : 'off'}`} />
      <span className={withWords ? undefined : live === 'lost' ? undefined : 'sr'}>{text}</span>
    </span>
  );
}

function Account({ me, help, more }: { me: Me; help: () => void; more?: boolean }) {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const [, go] = useLocation();
  return (
    <Menu position={more ? 'bottom-end' : 'top-start'} width={210}>
      <Menu.Target>
        <button type="button" className="nav-link" style={more ? { ...button, width: 'auto', flex: 'none' } : button} aria-label={`Account of ${me.name}`}>
          <Icon name="user" />
          {!more && <span className="clip">{me.name}</span>}
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {me.name} · {me.role}
        </Menu.Label>
        {more &&
          [...places, ...settings].filter((s) => s.wide).map((s) => (
            <Menu.Item key={s.to} leftSection={<Icon name={s.icon} size={16} />} onClick={() => go(s.to)}>
              {s.label}
            </Menu.Item>
          ))}
        {more && <Menu.Divider />}
        <Menu.RadioGroup value={colorScheme} onChange={(v) => setColorScheme(v as 'auto')}>
          {(['auto', 'light', 'dark'] as const).map((s) => (
            <Menu.RadioItem key={s} value={s}>
              {s === 'auto' ? 'As the system' : words(s)}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
        <Menu.Divider />
        <Menu.Item leftSection={<Icon name="help" size={16} />} onClick={help}>
          Keyboard shortcuts
        </Menu.Item>
        <Menu.Item leftSection={<Icon name="external" size={16} />} component="a" href="/docs" target="_blank">
          API documentation
        </Menu.Item>
        <Menu.Item leftSection={<Icon name="lock" size={16} />} onClick={() => void signOut()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/** The palette: pages, commands, and records by name. */
function Palette({ help }: { help: () => void }) {
  const [, go] = useLocation();
  const [query, setQuery] = useState('');
  const { setColorScheme } = useMantineColorScheme();
  const found = useFind(query);
  const actions = useMemo<SpotlightActionData[]>(() => {
    const pages = [...places, ...hidden, ...settings].map((p) => ({ id: p.to, label: p.label, description: p.keys ? `Page · ${p.keys}` : 'Page', leftSection: <Icon name={p.icon} />, onClick: () => go(p.to) }));
    const commands = [
      { id: 'new', label: 'Open an incident by hand', description: 'Command', leftSection: <Icon name="alerts" />, onClick: () => go('/?new=1') },
      { id: 'window', label: 'Plan a maintenance window', description: 'Command', leftSection: <Icon name="maintenance" />, onClick: () => go('/maintenance?new=1') },
      { id: 'keys', label: 'Keyboard shortcuts', description: 'Command · ?', leftSection: <Icon name="help" />, onClick: help },
      { id: 'dark', label: 'Dark theme', description: 'Command', leftSection: <Icon name="theme" />, onClick: () => setColorScheme('dark') },
      { id: 'light', label: 'Light theme', description: 'Command', leftSection: <Icon name="theme" />, onClick: () => setColorScheme('light') },
      { id: 'out', label: 'Sign out', description: 'Command', leftSection: <Icon name="lock" />, onClick: () => void signOut() },
    ];
    const records = found.map((f) => ({ id: f.to, label: f.label, description: f.description, keywords: query, leftSection: <Icon name={f.icon} />, onClick: () => go(f.to) }));
    return [...records, ...pages, ...commands];
  }, [found, go, query, help, setColorScheme]);
  return (
    <Spotlight
      actions={actions}
      query={query}
      onQueryChange={setQuery}
      lockScroll={false}
      attributes={{ content: { 'aria-label': 'Search and commands' } }}
      overlayProps={{ blur: 0, backgroundOpacity: 0.35 }}
      shortcut={['mod + K']}
      limit={14}
      scrollable
      maxHeight={420}
      highlightQuery={false}
      nothingFound="Nothing by that name"
      searchProps={{ placeholder: 'Go to a page, an incident, a machine', 'aria-label': 'Search and commands', leftSection: <Icon name="search" /> }}
    />
  );
}

function Shortcuts({ opened, close }: { opened: boolean; close: () => void }) {
  const [on, setOn] = useState(keysOn());
  const groups: [string, [string, string][]][] = [
    ['Everywhere', [['Ctrl K', 'Search and commands'], ['?', 'This help'], ['/', 'Go to the filter'], ...[...places, ...settings].map((p): [string, string] => [p.keys!, p.label])]],
    ['Lists', [['j / ↓', 'Next row'], ['k / ↑', 'Previous row'], ['Enter / o', 'Open the row'], ['Home / End', 'First, last row'], ['c', 'Open by hand (Now, Problems), plan (Maintenance)'], ['e', 'Edit (an item)']]],
    ['Incident', [['a', 'Acknowledge'], ['s', 'Assign'], ['h', 'Hold'], ['u', 'Resume'], ['r', 'Resolve'], ['n', 'Note'], ['e', 'Edit title or priority'], ['m', 'Merge'], ['p', 'Split'], ['M', 'Declare major, or take it back'], ['c', 'Close'], ['o', 'Reopen'], ['x', 'Cancel'], ['v', 'Review'], ['b', 'Back to the list']]],
  ];
  return (
    <Modal opened={opened} onClose={close} title="Keyboard shortcuts" size="lg" closeButtonProps={{ 'aria-label': 'Close' }}>
      <div className="stack">
        <Switch
          checked={on}
          label="Single keys act"
          onChange={(e) => {
            setKeysOn(e.currentTarget.checked);
            setOn(e.currentTarget.checked);
          }}
        />
        <div className="shortcut-groups">
        {groups.map(([title, keys]) => (
          <section key={title}>
            <h3 style={{ marginBottom: 8 }}>{title}</h3>
            <dl className="shortcuts">
              {keys.map(([k, what]) => (
                <div key={k} style={{ display: 'contents' }}>
                  <dt>
                    {k.split(' ').map((part, i) => (part === '/' && k.length > 1 ? <span key={i}> or </span> : <kbd key={i} style={{ marginRight: 3 }}>{part}</kbd>))}
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        </div>
      </div>
    </Modal>
  );
}
