import { useEffect } from 'react';
import { useQueryClient } from '@tanstack/react-query';
import { Route, Switch } from 'wouter';
import { follow } from './api/live';
import { useMe } from './api/queries';
import { Shell } from './components/Shell';
import { Failed, Loading, State } from './components/State';
import { page } from './components/page';
import { Fault } from './api/client';
import { Login } from './pages/Login';

const Incidents = page(() => import('./pages/Incidents'));
const Incident = page(() => import('./pages/Incident'));
const Alerts = page(() => import('./pages/Alerts'));
const Alert = page(() => import('./pages/Alert'));
const Hygiene = page(() => import('./pages/Hygiene'));
const Teachings = page(() => import('./pages/Teachings'));
const Sources = page(() => import('./pages/Sources'));
const Inventory = page(() => import('./pages/Inventory'));
const Ci = page(() => import('./pages/Ci'));
const Services = page(() => import('./pages/Services'));
const Tasks = page(() => import('./pages/Tasks'));
const Quality = page(() => import('./pages/Quality'));
const Endings = page(() => import('./pages/Endings'));
const Maintenances = page(() => import('./pages/Maintenances'));
const Maintenance = page(() => import('./pages/Maintenance'));
const Review = page(() => import('./pages/Review'));
const Software = page(() => import('./pages/Software'));
const Problems = page(() => import('./pages/Problems'));
const Problem = page(() => import('./pages/Problem'));
const Kpis = page(() => import('./pages/Kpis'));
const Tokens = page(() => import('./pages/Tokens'));
const Audit = page(() => import('./pages/Audit'));
const Start = page(() => import('./pages/Start'));

export function App() {
  const me = useMe();
  const client = useQueryClient();
  const signedIn = !!me.data;
  useEffect(() => (signedIn ? follow('/api/v1/stream', client) : undefined), [signedIn, client]);

  if (me.isPending) return <Loading lines={3} label="Signing in" />;
  if (me.error && Fault.of(me.error).status !== 401) return <Failed page error={me.error} retry={() => void me.refetch()} />;
  if (!me.data) return <Login />;
  return (
    <Shell me={me.data}>
      <Switch>
        <Route path="/" component={Incidents} />
        <Route path="/incidents" component={Incidents} />
        <Route path="/incidents/:id">{(p) => <Incident key={p.id} id={decodeURIComponent(p.id)} />}</Route>
        <Route path="/incidents/:id/review">{(p) => <Review key={p.id} id={decodeURIComponent(p.id)} />}</Route>
        <Route path="/alerts" component={Alerts} />
        <Route path="/alerts/:id">{(p) => <Alert key={p.id} id={decodeURIComponent(p.id)} />}</Route>
        <Route path="/hygiene" component={Hygiene} />
        <Route path="/teachings" component={Teachings} />
        <Route path="/sources" component={Sources} />
        <Route path="/inventory" component={Inventory} />
        <Route path="/inventory/:id/:tab?">{(p) => <Ci key={p.id} id={decodeURIComponent(p.id)} tab={p.tab} />}</Route>
        <Route path="/services" component={Services} />
        <Route path="/tasks" component={Tasks} />
        <Route path="/quality" component={Quality} />
        <Route path="/endings" component={Endings} />
        <Route path="/maintenance" component={Maintenances} />
        <Route path="/maintenance/:id">{(p) => <Maintenance key={p.id} id={decodeURIComponent(p.id)} />}</Route>
        <Route path="/software" component={Software} />
        <Route path="/problems" component={Problems} />
        <Route path="/problems/:id">{(p) => <Problem key={p.id} id={decodeURIComponent(p.id)} />}</Route>
        <Route path="/kpis" component={Kpis} />
        <Route path="/tokens" component={Tokens} />
        <Route path="/audit" component={Audit} />
        <Route path="/start" component={Start} />
        <Route path="/login">
          <Login />
        </Route>
        <Route>
          <State page icon="search" title="There is no such page" action={<a href="/">Go to what is open now</a>}>
            The address may be mistyped, or the page has moved.
          </State>
        </Route>
      </Switch>
    </Shell>
  );
}
