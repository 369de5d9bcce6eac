// What people do, in a real browser on a real installation: a server, an agent
// of this machine, a recorded storm. Run after `make build`:
//   node --test test/ui/stories.test.mjs
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { axe, axeInBothThemes, executablePath, person, settled, signIn } from './browser.mjs';
import { demonstration, installation, smoke, until } from './installation.mjs';
import { dialogs, pages } from './pages.mjs';

let x;
let past; // two recorded days, for what takes days to show
const people = [];
const open = async (options) => {
  const p = await person(options);
  people.push(p);
  return p;
};

if (!executablePath) {
  if (process.env.CI) throw new Error('Chromium is missing: install it or name it in CHROMIUM');
  console.log('SKIPPED, LOUDLY: no Chromium here (Debian: apt-get install chromium, or name one in CHROMIUM). The pages are NOT tested.');
  process.exit(0);
}

before(async () => {
  x = await installation();
  await x.start();
});
after(async () => {
  for (const p of people) await p.close();
  await past?.stop();
  await x?.stop();
});

const oneIncident = () =>
  until('the storm’s incident', async () => (await x.admin('GET', '/api/v1/incidents?sort=-alerts&limit=1')).items.find((i) => i.alerts > 5));

test('an empty installation leads through its first steps, each turning green by itself', async () => {
  const { page, trouble } = await open();
  await signIn(page, x.url, x.admin, 'first', 'admin');
  await page.goto(`${x.url}/hygiene`);
  await page.getByRole('heading', { name: 'No alert came within 30 days' }).waitFor();
  await page.goto(`${x.url}/`);
  await page.getByRole('heading', { name: 'Nothing has been heard yet' }).waitFor();
  await page.getByRole('main').getByRole('link', { name: 'First steps' }).click();
  await page.getByText('0 of 3 done').waitFor();
  await page.getByRole('button', { name: 'Make a command that adds a machine' }).click();
  await page.getByLabel('the join command', { exact: true }).waitFor();

  await x.agent();
  await page.getByText('1 of 3 done').waitFor();
  // A webhook turns the second step green, its incident the third: both without a click or a reload.
  await page.evaluate(() => (window.sameDocument = true));
  await x.alert({ alertname: 'Test', severity: 'critical', instance: 'nowhere:9100' }, 'A test of the way from alert to incident');
  await page.getByRole('heading', { name: 'An Alertmanager that sends here (done)' }).waitFor({ timeout: 40_000 });
  await page.getByRole('heading', { name: 'The first alert becomes an incident (done)' }).waitFor({ timeout: 60_000 });
  assert.equal(await page.evaluate(() => window.sameDocument), true, 'the page was loaded anew');
  await x.topology(smoke);
  await x.storm(smoke, { resolved: false });
  await page.getByText('3 of 3 done').waitFor({ timeout: 60_000 });
  assert.deepEqual(trouble, []);
});

test('a responder handles the incident from the keyboard', async () => {
  const incident = await oneIncident();
  const { page, trouble } = await open();
  await signIn(page, x.url, x.admin, 'rita', 'responder');
  await page.goto(x.url + '/');
  await settled(page);
  // Unacknowledged and grave first: the storm's incident is the first row. Rows move
  // while it comes in, and the keys stay with the row that they chose.
  await page.getByRole('row').nth(1).waitFor();
  await page.keyboard.press('j');
  await x.admin('POST', '/api/v1/incidents', { title: 'Comes in between', impact: 1, urgency: 1 });
  await page.getByRole('link', { name: 'Comes in between' }).waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/incidents\//);
  await page.goto(`${x.url}/incidents/${incident.id}`);
  await page.getByRole('heading', { level: 1, name: incident.title }).waitFor();

  // The cause, in words; the evidence as sentence and number; the topology.
  const now = await x.admin('GET', `/api/v1/incidents/${incident.id}`);
  await page.getByRole('region', { name: 'Suspected cause' }).getByRole('link', { name: now.causes[0].name }).waitFor();
  assert.ok((await page.getByRole('region', { name: 'Suspected cause' }).innerText()).includes(now.causes[0].path));
  await page.locator('.alert-row summary').first().click();
  await page.getByRole('group', { name: /Topology/ }).waitFor();

  await page.keyboard.press('a');
  await page.getByText('acknowledged by rita').waitFor();
  await page.keyboard.press('n');
  await page.keyboard.type('Primary is down, failing over');
  await page.keyboard.press('Control+Enter');
  await page.locator('.timeline').getByText('Primary is down, failing over').waitFor();

  await page.keyboard.press('h');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('combobox', { name: 'It' }).click();
  await page.getByRole('option', { name: 'waits for a vendor' }).click();
  await dialog.getByRole('button', { name: 'Put on hold' }).click();
  await page.getByText('On hold · vendor').first().waitFor();
  await page.keyboard.press('u');
  await page.getByText('In progress').first().waitFor();

  await page.keyboard.press('r');
  await page.getByRole('dialog').getByLabel('What mended it').fill('Failed over to the replica');
  await page.getByRole('dialog').getByRole('button', { name: 'Resolve' }).click();
  await page.getByText('Resolved by rita: Failed over to the replica').waitFor();
  await page.keyboard.press('o');
  await page.getByRole('dialog').getByLabel('Why').fill('It came back');
  await page.getByRole('dialog').getByRole('button', { name: 'Reopen' }).click();
  await page.getByText('In progress').first().waitFor();
  assert.equal((await x.admin('GET', `/api/v1/incidents/${incident.id}`)).state, 'in_progress');
  assert.deepEqual(trouble, []);
});

test('"g a" goes to the alerts and acknowledges nothing', async () => {
  const i = await x.admin('POST', '/api/v1/incidents', { title: 'Nobody touches this one', impact: 3, urgency: 3 });
  const { page } = people.at(-1);
  await page.goto(`${x.url}/incidents/${i.id}`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('a');
  await page.waitForURL(/\/alerts$/);
  assert.equal((await x.admin('GET', `/api/v1/incidents/${i.id}`)).state, 'new');
});

test('a refused verb says what is possible instead', async () => {
  const i = await x.admin('POST', '/api/v1/incidents', { title: 'Two people at once', impact: 2, urgency: 2 });
  const { page } = people.at(-1);
  await page.goto(`${x.url}/incidents/${i.id}`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.keyboard.press('x');
  await page.getByRole('dialog').waitFor();
  await x.admin('POST', `/api/v1/incidents/${i.id}/resolve`, { resolution: 'somebody was faster' });
  await page.getByRole('dialog').getByLabel('Why').fill('was none');
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel the incident' }).click();
  await page.getByRole('dialog').getByRole('alert').getByText(/possible are close, reopen/).waitFor();
});

test('a viewer sees everything and is offered nothing that they may not do', async () => {
  const incident = await oneIncident();
  const { page, trouble } = await open();
  await signIn(page, x.url, x.admin, 'vera', 'viewer');
  await page.goto(`${x.url}/incidents/${incident.id}`);
  await page.getByRole('heading', { level: 1, name: incident.title }).waitFor();
  await page.getByText('You are signed in as a viewer').waitFor();
  assert.equal(await page.getByRole('button', { name: /Acknowledge|Resolve|Assign/ }).count(), 0);
  await page.keyboard.press('x'); // bound to nothing for her
  assert.equal(await page.getByRole('dialog').count(), 0);
  const status = await page.evaluate((id) => fetch(`/api/v1/incidents/${id}/cancel`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }).then((r) => r.status), incident.id);
  assert.equal(status, 403);
  await page.goto(`${x.url}/tokens`);
  await page.getByRole('heading', { name: 'Tokens are an administrator’s' }).or(page.getByRole('heading', { name: "Tokens are an administrator's" })).waitFor();
  await page.goto(`${x.url}/audit`);
  await page.getByRole('heading', { name: 'Your role does not show this' }).waitFor();
  // Nothing is offered that would be refused.
  for (const [path, heading] of [['/inventory', 'Inventory'], ['/services', 'Services'], ['/maintenance', 'Maintenance'], [`/incidents/${incident.id}/review`, `Review of ${incident.id}`]]) {
    await page.goto(x.url + path);
    await page.getByRole('heading', { level: 1, name: heading }).waitFor();
    assert.equal(await page.getByRole('main').getByRole('button', { name: /Import|Edit all|Compose|Plan a|Finish|Save$/ }).count(), 0, path);
  }
  assert.deepEqual(trouble, []);
});

test('what one person does appears on another’s screen by itself, also after the server was killed', async () => {
  const i = await x.admin('POST', '/api/v1/incidents', { title: 'Seen by two', impact: 1, urgency: 1 });
  const { page } = people.at(-1);
  await page.goto(`${x.url}/incidents/${i.id}`);
  await page.getByText('nobody has acknowledged it').waitFor();
  await page.locator('.nav .live').getByText('Live').waitFor();
  await page.evaluate(() => (window.sameDocument = true));
  await x.admin('POST', `/api/v1/incidents/${i.id}/acknowledge`, {});
  await page.getByText(/acknowledged by/).first().waitFor();

  await x.server.stop('SIGKILL');
  await page.locator('.nav .live').getByText('Reconnecting').waitFor();
  await x.start();
  await page.locator('.nav .live').getByText('Live').waitFor({ timeout: 40_000 });
  await x.admin('POST', `/api/v1/incidents/${i.id}/notes`, { note: 'written after the restart' });
  await page.locator('.timeline').getByText('written after the restart').waitFor();
  assert.equal(await page.evaluate(() => window.sameDocument), true, 'the page was loaded anew');
});

test('what is recorded and edited in the inventory appears on an open list by itself', async () => {
  const { page } = people.at(-1);
  await page.goto(`${x.url}/inventory?class=rack&q=${encodeURIComponent('name:live-*')}`);
  await page.getByRole('heading', { name: 'Nothing passes the filter' }).waitFor();
  await page.locator('.nav .live').getByText('Live').waitFor();
  const rack = await x.admin('POST', '/api/v1/cis', { class: 'rack', name: 'live-1' });
  await page.getByRole('link', { name: 'live-1' }).waitFor();
  await x.admin('PATCH', `/api/v1/cis/${rack.id}`, { attributes: { owner: 'olga' } });
  await page.getByRole('cell', { name: 'olga' }).waitFor();
});

test('the inventory filters, sorts, chooses columns and exports; the URL holds all of it', async () => {
  const { page, trouble } = await open();
  await signIn(page, x.url, x.admin, 'ada', 'manager');
  await page.goto(`${x.url}/inventory`);
  await settled(page);
  await page.keyboard.press('/');
  await page.keyboard.type('packages:*');
  await page.waitForURL(/q=packages/);
  await page.getByText('1 item', { exact: true }).waitFor();
  await page.getByRole('columnheader', { name: 'Name' }).getByRole('button').click();
  await page.waitForURL(/sort=/);
  await page.getByRole('button', { name: 'Columns' }).click();
  await page.getByRole('menuitemcheckbox', { name: 'Kernel' }).click();
  await page.waitForURL(/cols=.*kernel/);
  await page.keyboard.press('Escape');
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV', exact: true }).click()]);
  const csv = readFileSync(await download.path(), 'utf8').trim().split('\r\n');
  assert.equal(csv.length, 2);
  assert.ok(csv[0].includes('Name') && csv[0].includes('Kernel'), csv[0]);

  // The address alone gives the same view.
  const address = page.url();
  await page.goto(`${x.url}/`);
  await page.goto(address);
  await page.getByText('1 item', { exact: true }).waitFor();
  await page.getByRole('columnheader', { name: 'Kernel' }).waitFor();
  assert.equal(await page.getByLabel('Filter').inputValue(), 'packages:*');

  // The host, its packages, and the way back through the software.
  await page.getByRole('row').nth(1).click();
  await page.getByRole('link', { name: 'Packages', exact: true }).click();
  await page.waitForURL(/packages$/);
  await page.getByLabel('Filter').fill('base-files');
  await page.getByRole('link', { name: 'base-files' }).click();
  await page.getByRole('heading', { level: 1, name: 'Software' }).waitFor();
  await page.getByRole('main').getByRole('link', { name: 'base-files', exact: true }).click();
  const host = (await x.admin('GET', `/api/v1/cis?q=${encodeURIComponent('class:host packages:*')}`)).items[0];
  await page.getByRole('region', { name: /Hosts with/ }).getByRole('link', { name: host.name, exact: true }).click();
  await page.getByRole('heading', { level: 1, name: host.name }).waitFor();
  assert.deepEqual(trouble, []);
});

test('an asset manager finds by completion, saves the list, imports, edits many and compares', async () => {
  const { page, trouble } = await open();
  await signIn(page, x.url, x.admin, 'ada', 'manager');
  const dialog = page.getByRole('dialog');
  const filter = page.getByLabel('Filter');

  // A CSV file: tried first, and only then taken; a wrong line is said and hurts no other.
  await page.goto(`${x.url}/inventory?class=all`);
  await page.getByRole('button', { name: 'Import CSV' }).click();
  await dialog.getByLabel('File').setInputFiles({ name: 'racks.csv', mimeType: 'text/csv', buffer: Buffer.from('class,name,owner,criticality\nrack,csv-1,ada,high\nrack,csv-2,,\nrack,csv-3,,enormous\n') });
  await dialog.getByRole('button', { name: 'Try it' }).click();
  await dialog.getByText('2 new').waitFor();
  await dialog.getByText('1 refused').waitFor();
  await dialog.getByText(/criticality/).last().waitFor();
  assert.equal((await x.admin('GET', '/api/v1/cis?q=name:csv-*')).total, 0, 'a trial changed something');
  await dialog.getByRole('button', { name: 'Import 2 lines' }).click();
  await dialog.getByText('Done:').waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();

  // The field proposes how the query goes on: fields, then values.
  await page.keyboard.press('/');
  await page.keyboard.type('name:csv-* own');
  await page.getByRole('option', { name: 'owner:', exact: true }).waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await filter.inputValue(), 'name:csv-* owner:');
  await page.keyboard.type('a');
  await page.getByRole('option', { name: 'ada', exact: true }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForURL(/owner%3Aada/);
  await page.getByText('1 item', { exact: true }).waitFor();

  // The list under a name, back from anywhere.
  await page.getByRole('button', { name: 'Views' }).click();
  await page.getByRole('menuitem', { name: 'Save this list' }).click();
  await dialog.getByLabel('Its name').fill('Racks of Ada');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.goto(`${x.url}/inventory`);
  await page.getByRole('button', { name: 'Views' }).click();
  await page.getByRole('menuitem', { name: /^Racks of Ada/ }).click();
  await page.getByText('1 item', { exact: true }).waitFor();

  // Many at once, with a preview.
  await filter.fill('name:csv-*');
  await filter.press('Enter');
  await page.getByText('2 items', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Edit all' }).click();
  await dialog.getByLabel('Tags to add').fill('lab');
  await dialog.getByRole('button', { name: 'Preview' }).click();
  await dialog.getByText('2 changed').waitFor();
  await dialog.getByRole('button', { name: 'Change 2 items' }).click();
  await dialog.getByText('Done:').waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();
  assert.equal((await x.admin('GET', '/api/v1/cis?q=tag:lab')).total, 2);

  // One item: what a person keeps, and what differs from another.
  await page.getByRole('link', { name: 'csv-1' }).click();
  await page.getByRole('heading', { level: 1, name: 'csv-1' }).waitFor();
  await page.keyboard.press('e');
  await dialog.getByLabel('Location').fill('ams1');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('ams1').waitFor();
  await page.getByRole('link', { name: 'Compare' }).click();
  await page.getByRole('combobox', { name: 'Or with another item' }).click();
  await page.getByRole('combobox', { name: 'Or with another item' }).fill('csv-2');
  await page.getByRole('option', { name: 'csv-2 (rack)' }).click();
  await page.getByRole('region', { name: 'Differences' }).getByText('ams1').waitFor();
  assert.deepEqual(trouble, []);
});

test('two records of one machine are a task, decided by a merge that can be taken back', async () => {
  const { page, trouble } = people.at(-1);
  // Recorded by hand, and then a machine of that name joins: probably the same, and not decided alone.
  const twin = await x.admin('POST', '/api/v1/cis', { class: 'host', name: 'twin-1', attributes: { hostname: 'twin-1', owner: 'otto' } });
  await page.goto(`${x.url}/tasks`);
  await page.getByRole('heading', { name: 'Nothing waits for a decision' }).waitFor();
  const joined = await x.enroll({ agent: { id: 'agent-twin-1', boot_id: 'boot-twin-1', version: '1' }, host: { hostname: 'twin-1', machine_id: '1'.repeat(32), product_uuid: '4c4c4544-0000-2010-8020-80c04f202131' } });
  const task = page.getByRole('region', { name: /twin-1/ });
  await task.getByText('same name twin-1').waitFor();
  await task.getByRole('button', { name: 'They are one: merge' }).click();
  await task.waitFor({ state: 'detached' });
  const merged = await x.admin('GET', `/api/v1/cis/${joined.ci}`);
  assert.equal(merged.attributes.owner, 'otto');
  assert.equal((await x.admin('GET', `/api/v1/cis/${twin.id}`)).id, joined.ci);
  await page.getByRole('button', { name: 'Take it back' }).click();
  await page.getByText(/taken back/).waitFor();
  assert.equal((await x.admin('GET', `/api/v1/cis/${twin.id}`)).id, twin.id);
  assert.deepEqual(trouble, []);
});

test('the owner of alert rules sees which are of no use, and what is behind each number', async () => {
  const { page, trouble } = await open();
  past = await demonstration('dev-03-mild-a');
  await signIn(page, past.url, past.admin, 'olaf', 'viewer');
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Alerts' }).click();
  await page.getByRole('link', { name: 'Rule hygiene' }).click();
  await page.getByRole('button', { name: /^Never acted on [1-9]/ }).click();
  await page.waitForURL(/show=never_acted/);
  await page.getByText(/nobody acknowledged or resolved one/).waitFor();
  const report = await past.admin('GET', '/api/v1/hygiene?days=30');
  const rule = report.rules.find((r) => r.findings.includes('never_acted'));
  const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: rule.rule, exact: true }) });
  await row.getByRole('cell', { name: `0 of ${rule.incidents}`, exact: true }).waitFor();

  // The incidents behind the number are as many as it says; so are the alerts, from the keyboard.
  await row.getByRole('link', { name: String(rule.incidents), exact: true }).last().click();
  await page.getByRole('heading', { level: 1, name: 'All incidents' }).waitFor();
  await page.getByText(`${rule.incidents} incidents`, { exact: true }).waitFor();
  await page.goBack();
  await row.waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/alerts\?/);
  await page.getByText(`${rule.alerts} alerts`, { exact: true }).waitFor();
  assert.deepEqual(trouble, []);

  // An incident that repeats another shows what helped then, as it is known now.
  const again = (await past.admin('GET', '/api/v1/incidents?q=seen_before:yes')).items.find((i) => i.problem);
  await past.admin('POST', `/api/v1/incidents/${again.seen_before}/reopen`, { reason: 'it was not over' });
  await past.admin('POST', `/api/v1/incidents/${again.seen_before}/resolve`, { resolution: 'Replaced the drive of osd-3' });
  await past.admin('POST', `/api/v1/problems/${again.problem}/workaround`, { workaround: 'Drain the node first' });
  await page.goto(`${past.url}/?show=all`);
  await page.getByRole('row').filter({ hasText: again.title }).getByText('seen before').waitFor();
  await page.goto(`${past.url}/incidents/${again.id}`);
  const card = page.getByRole('region', { name: 'Seen before: what helped then' });
  await card.getByText('Replaced the drive of osd-3').waitFor();
  await card.getByText('Drain the node first').waitFor();
  await card.getByText(/% sure: /).waitFor();
  assert.deepEqual(await axeInBothThemes(page), []);
  await card.getByRole('link', { name: again.problem }).click();
  await page.getByRole('region', { name: 'Workaround' }).getByText('Drain the node first').waitFor();
  await page.goBack();
  const earlier = await past.admin('GET', `/api/v1/incidents/${again.seen_before}`);
  await card.getByRole('link', { name: earlier.title, exact: true }).click();
  await page.getByRole('heading', { level: 1, name: earlier.title }).waitFor();
  assert.deepEqual(trouble, []);
});

test('another replica’s view of an alert says which alert stands for both', async () => {
  const { page, trouble } = people.at(-1);
  const views = (await past.admin('GET', `/api/v1/alerts?q=${encodeURIComponent('fate:duplicate not final_fate:incident')}`)).items;
  const shown = (await Promise.all(views.map((v) => past.admin('GET', `/api/v1/alerts/${v.canonical}`)))).find((a) => a.incident);
  const view = views.find((v) => v.canonical === shown.id);
  await page.goto(`${past.url}/alerts?show=views&q=${view.fingerprint}`);
  const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: shown.id, exact: true }) });
  await row.getByText('replica’s view', { exact: true }).waitFor();
  await row.getByRole('link', { name: view.name }).click();
  const note = page.getByText(/The same alert as .* seen by another replica/);
  await note.getByText(`replica=${view.labels.replica}`).waitFor();
  await note.getByRole('link', { name: shown.incident }).waitFor();
  await note.getByRole('link', { name: shown.id }).click();
  await page.getByRole('region', { name: 'As received' }).getByRole('link', { name: view.id }).waitFor();
  await page.goto(`${past.url}/incidents/${shown.incident}`);
  await page.getByText(/also seen by another replica/).getByRole('link', { name: view.id }).waitFor();
  assert.deepEqual(trouble, []);
});

test('a maintenance window keeps alerts quiet and shows them afterwards', async () => {
  const { page, trouble } = await open();
  await signIn(page, x.url, x.admin, 'rita', 'responder');
  const item = await x.admin('POST', '/api/v1/cis', { class: 'host', name: 'quiet-1', attributes: { hostname: 'quiet-1' } });
  await page.goto(`${x.url}/inventory/${encodeURIComponent(item.id)}`);
  await page.getByRole('button', { name: 'Plan maintenance' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('What is done').fill('Disk swap');
  await dialog.getByRole('button', { name: 'Plan it' }).click();
  await page.getByRole('heading', { level: 1, name: 'Disk swap' }).waitFor();
  await page.getByText('No alert was suppressed').waitFor();
  await x.alert({ alertname: 'DiskFailed', severity: 'critical', instance: 'quiet-1:9100' }, 'sda is gone');
  await page.getByRole('region', { name: 'What it kept quiet' }).getByRole('link', { name: 'DiskFailed' }).waitFor();
  assert.equal((await x.admin('GET', `/api/v1/incidents?q=${encodeURIComponent('ci:quiet-1')}`)).items.length, 0, 'the window did not keep it quiet');
  await page.keyboard.press('d');
  await dialog.getByRole('button', { name: 'It is done' }).click();
  await page.locator('.meta').getByText('ended').waitFor();
  assert.deepEqual(trouble, []);
});

test('a service in trouble is seen at a glance, with its incident', async () => {
  const { page, trouble } = people.at(-1);
  await page.goto(`${x.url}/services`);
  await page.getByRole('table', { name: 'Services' }).waitFor();
  const listed = (await x.admin('GET', '/api/v1/services')).items;
  await page.getByText(`${listed.length} services`).waitFor();
  await page.getByRole('row').nth(1).getByRole('link').first().click();
  await page.getByRole('region', { name: 'What is in trouble on its way' }).waitFor();
  assert.deepEqual(trouble, []);
});

test('an alert that does not belong teaches so, and the lesson can be taken back', async () => {
  const { page, trouble } = people.at(-1);
  // One whose incident holds another kind as well: with itself alone it cannot be unrelated.
  const some = (await x.admin('GET', `/api/v1/alerts?limit=500&q=${encodeURIComponent('incident:INC* bound:yes')}`)).items;
  const alert = some.find((a) => some.some((b) => b.incident === a.incident && b.name !== a.name && b.binding.ci !== a.binding.ci));
  await page.goto(`${x.url}/alerts/${alert.id}`);
  await page.getByRole('button', { name: 'It does not belong here' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Why').fill('It is a test machine');
  await dialog.getByRole('button', { name: 'Teach it' }).click();
  await dialog.getByText(/^Taught:/).waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await page.goto(`${x.url}/teachings`);
  await page.getByText('It is a test machine').waitFor();
  await page.getByRole('button', { name: /^Take back/ }).first().click();
  await until('the lesson to go', async () => (await x.admin('GET', '/api/v1/teachings')).items.length === 0);
  await page.getByRole('heading', { name: 'Nothing was taught yet' }).waitFor();
  assert.deepEqual(trouble, []);
});

test('the review of an incident is drafted from its records and finished by a person', async () => {
  const { page, trouble } = people.at(-1);
  const i = await x.admin('POST', '/api/v1/incidents', { title: 'To learn from', impact: 2, urgency: 2 });
  await x.admin('POST', `/api/v1/incidents/${i.id}/resolve`, { resolution: 'Restarted' });
  await page.goto(`${x.url}/incidents/${i.id}`);
  await page.getByRole('heading', { level: 1, name: 'To learn from' }).waitFor();
  await page.keyboard.press('v');
  const text = page.getByLabel('The review, in Markdown');
  await text.waitFor();
  await page.getByText('draft from the records').waitFor();
  await text.fill((await text.inputValue()) + '\nWe watch the queue now.\n');
  await page.getByRole('button', { name: 'Finish the review' }).click();
  await page.getByText(/finished by/).waitFor();
  assert.match((await x.admin('GET', `/api/v1/incidents/${i.id}/review`)).text, /We watch the queue now/);
  assert.deepEqual(trouble, []);
});

test('a token is shown once, works, and ends when it is revoked', async () => {
  const { page } = people[0];
  await page.goto(`${x.url}/tokens`);
  await page.getByRole('button', { name: 'New token' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('What it is for').fill('story');
  await dialog.getByRole('button', { name: 'Make token' }).click();
  const secret = (await dialog.getByLabel('the token', { exact: true }).innerText()).trim();
  const ask = () => fetch(`${x.url}/api/v1/session`, { headers: { Authorization: `Bearer ${secret}` } }).then((r) => r.status);
  assert.equal(await ask(), 200);
  await dialog.getByRole('button', { name: 'Done' }).click();
  assert.ok(!(await page.content()).includes(secret), 'the secret is still on the page');
  await page.getByRole('button', { name: 'Revoke story' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click();
  await page.getByRole('button', { name: 'Revoke story' }).waitFor({ state: 'detached' });
  assert.equal(await ask(), 401);
});

test('a password lets in again, a wrong one is refused in words', async () => {
  const { page } = await open();
  await x.admin('POST', '/api/v1/users', { name: 'paul', role: 'viewer', password: 'a long enough password' });
  await page.goto(`${x.url}/inventory?class=all`);
  await page.getByLabel('Name').fill('paul');
  await page.getByLabel(/^Password/).fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  await page.getByLabel(/^Password/).fill('a long enough password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Inventory' }).waitFor(); // where he wanted to go
  await page.getByRole('button', { name: 'Account of paul' }).first().click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
});

test('the palette finds a machine by name', async () => {
  const { page } = people[0];
  await page.goto(`${x.url}/`);
  await settled(page);
  await page.keyboard.press('Control+k');
  await page.getByPlaceholder('Go to a page, an incident, a machine').fill('pg-payout-1');
  await page.getByRole('dialog').getByText('Inventory · host').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: /^pg-payout-1/ }).click();
  await page.getByRole('heading', { level: 1, name: 'pg-payout-1' }).waitFor();
});

test('axe finds nothing on any page, in both themes, wide and narrow', async () => {
  const p = await open();
  await p.page.goto(`${x.url}/`);
  await p.page.getByRole('heading', { name: 'Sign in' }).waitFor();
  const found = (await axeInBothThemes(p.page)).map((f) => `login: ${f}`);
  await signIn(p.page, x.url, x.admin, 'first', 'admin');
  for (const [name, path] of await pages(x.admin)) {
    await p.page.setViewportSize({ width: 1280, height: 860 });
    await p.page.goto(x.url + path);
    for (const width of [1280, 360]) {
      await p.page.setViewportSize({ width, height: 860 });
      await settled(p.page);
      // Colours do not change with the width.
      for (const f of await (width === 360 ? axe(p.page) : axeInBothThemes(p.page))) found.push(`${name} at ${width}: ${f}`);
      const wider = await p.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wider > 0) found.push(`${name} at ${width}: ${wider} px wider than the window`);
    }
  }
  assert.deepEqual(found, []);
  assert.deepEqual(p.trouble, []);
});

test('axe finds nothing on open dialogs and menus, in both themes', async () => {
  const { page, trouble } = people.at(-1); // the admin of the test before
  await page.setViewportSize({ width: 1280, height: 860 });
  const found = [];
  for (const [name, path, act] of await dialogs(x.admin)) {
    await page.goto(x.url + path);
    await settled(page);
    await act(page);
    for (const f of await axeInBothThemes(page)) found.push(`${name}: ${f}`);
  }
  assert.deepEqual(found, []);
  assert.deepEqual(trouble, []);
});
