import assert from 'node:assert/strict';
import test from 'node:test';
import { Inbox } from '../inbox/inbox.js';
import { item } from './world.js';

const nids = (records) => records.map(({ nid }) => nid);
const ids = (...numbers) => numbers.map((i) => item(`${i}-0`));

// An inbox with one page of the list: 30, 20, 10, and older ones on the next.
function opened({ before = 'next', unread = 5, items = ids(30, 20, 10) } = {}) {
  const inbox = new Inbox();
  inbox.clear('30-0');
  inbox.setCounts({ at: '30-0', unread });
  inbox.addPage('inbox', { items, before }, inbox.tick);
  return inbox;
}

test('newest first, each once, however it came', () => {
  const inbox = opened();
  assert.deepEqual(nids(inbox.add(ids(30, 40))), ['40-0']);
  assert.deepEqual(nids(inbox.view('inbox', 0)), ['40-0', '30-0', '20-0', '10-0']);
});

test('a view ends where its pages end; what is older shows up with its page', () => {
  const inbox = opened();
  inbox.add(ids(5));
  assert.deepEqual(nids(inbox.view('inbox', 0)), ['30-0', '20-0', '10-0']);
  assert.equal(inbox.reaches('inbox', item('5-0')), false);
  inbox.addPage('inbox', { items: ids(5, 4) }, inbox.tick);
  assert.deepEqual(nids(inbox.view('inbox', 0)), ['30-0', '20-0', '10-0', '5-0', '4-0']);
  assert.equal(inbox.window('inbox').complete, true);
});

test('an empty page moves on without an end of its own', () => {
  const inbox = opened();
  inbox.addPage('inbox', { items: [], before: 'further' }, inbox.tick);
  assert.deepEqual(nids(inbox.view('inbox', 0)), ['30-0', '20-0', '10-0']);
  assert.equal(inbox.window('inbox').before, 'further');
});

test('filters: unread, archived, and what is kept in sight', () => {
  const inbox = opened({
    before: undefined,
    items: [item('30-0'), item('20-0', { state: 'seen' }), item('10-0', { state: 'archived' })],
  });
  inbox.addPage('unread', { items: ids(30) }, inbox.tick);
  inbox.addPage('archived', { items: [item('10-0', { state: 'archived' })] }, inbox.tick);
  assert.deepEqual(nids(inbox.view('unread', 0)), ['30-0', '20-0']);
  assert.deepEqual(nids(inbox.view('archived', 0)), ['10-0']);
  inbox.apply({ op: 'read', ids: ['30-0'] });
  assert.deepEqual(nids(inbox.view('unread', 0)), ['20-0']);
  assert.deepEqual(nids(inbox.view('unread', 0, new Set(['30-0']))), ['30-0', '20-0']);
});

test('states: each op raises, unread goes back to seen, delete takes away', () => {
  const inbox = opened();
  const state = (op) => {
    inbox.apply({ op, ids: ['30-0'] });
    return inbox.get('30-0')?.state;
  };
  assert.equal(state('seen'), 'seen');
  assert.equal(state('archive'), 'archived');
  assert.equal(state('read'), 'archived');
  assert.equal(state('unread'), 'seen');
  assert.equal(state('unread'), 'seen');
  assert.equal(state('read'), 'read');
  assert.equal(state('delete'), undefined);
});

test("the count is the server's, moved by what came after it", () => {
  const inbox = opened();
  assert.equal(inbox.unread, 5);
  inbox.add(ids(25)); // the count was taken at 30: it is in there
  assert.equal(inbox.unread, 5);
  inbox.add(ids(40));
  assert.equal(inbox.unread, 6);
  inbox.add(ids(40));
  assert.equal(inbox.unread, 6);
  inbox.apply({ op: 'read', ids: ['40-0', '30-0', 'unknown'] });
  assert.equal(inbox.unread, 4);
  inbox.setCounts({ at: '41-0', unread: 9 });
  inbox.setCounts({ at: '29-0', unread: 1 }); // crossed on the way: older
  assert.equal(inbox.unread, 9);
});

test('reading everything counts what is not loaded, and leaves what came later', () => {
  const inbox = opened({ unread: 500 });
  inbox.add(ids(40));
  inbox.apply({ op: 'read', upto: '30-0' });
  assert.equal(inbox.unread, 1);
  assert.equal(inbox.get('40-0').state, 'unread');
  assert.equal(inbox.newest('35-0'), '40-0');
});

test('without counts the loaded ones are counted', () => {
  const inbox = new Inbox();
  inbox.clear();
  inbox.addPage('inbox', { items: ids(3, 2) }, inbox.tick);
  assert.equal(inbox.unread, 2);
});

test('taken back: state, count and the deleted', () => {
  const inbox = opened();
  inbox.apply({ op: 'read', ids: ['30-0'] })();
  assert.equal(inbox.get('30-0').state, 'unread');
  assert.equal(inbox.unread, 5);
  inbox.apply({ op: 'delete', ids: ['30-0'] })();
  assert.equal(inbox.get('30-0').state, 'unread');
  const undo = inbox.apply({ op: 'read', ids: ['30-0'] });
  inbox.apply({ id: '31-0', op: 'archive', ids: ['30-0'] });
  undo(); // another device has archived it meanwhile: that stands
  assert.equal(inbox.get('30-0').state, 'archived');
});

test('a list page does not overwrite what is newer than its question', () => {
  const inbox = opened();
  const askedAt = inbox.tick;
  inbox.apply({ op: 'read', ids: ['30-0'] });
  inbox.apply({ op: 'delete', ids: ['20-0'] });
  inbox.addPage('inbox', { items: ids(30, 20, 10), before: 'next' }, askedAt);
  assert.equal(inbox.get('30-0').state, 'read');
  assert.equal(inbox.get('20-0'), undefined);
  inbox.addPage('inbox', { items: ids(30), before: 'next' }, inbox.tick);
  assert.equal(inbox.get('30-0').state, 'unread');
});

test('state changes of the past are in the list already; later ones are applied', () => {
  const inbox = opened();
  inbox.apply({ id: '29-0', op: 'read', ids: ['30-0'] });
  assert.equal(inbox.get('30-0').state, 'unread');
  inbox.apply({ id: '31-0', op: 'read', ids: ['30-0'] });
  assert.equal(inbox.get('30-0').state, 'read');
});

test('a copy that comes again brings its log id, and not its old state', () => {
  const inbox = opened();
  inbox.add([item('50-0', { id: undefined, nid: '50-0' })]);
  inbox.apply({ op: 'read', ids: ['50-0'] });
  inbox.add([item('51-0', { nid: '50-0' })]);
  assert.equal(inbox.get('50-0').state, 'read');
  assert.equal(inbox.get('50-0').id, '51-0');
});

test('a newer notification takes away what it replaces', () => {
  const inbox = opened();
  inbox.add([item('40-0', { replaces: ['30-0'] })]);
  assert.deepEqual(nids(inbox.view('inbox', 0)), ['40-0', '20-0', '10-0']);
  assert.equal(inbox.unread, 5);
});

test('the expired are not shown', () => {
  const inbox = opened();
  inbox.add([item('40-0', { exp: 1000 })]);
  assert.equal(nids(inbox.view('inbox', 999)).includes('40-0'), true);
  assert.equal(nids(inbox.view('inbox', 1000)).includes('40-0'), false);
});

test('an update replaces the text and keeps the rest', () => {
  const inbox = opened();
  inbox.apply({ id: '31-0', op: 'update', ids: ['30-0'], item: item('30-0', { body: 'new', state: 'read' }) });
  assert.equal(inbox.get('30-0').body, 'new');
  assert.equal(inbox.unread, 4);
});
