// One group: who is in it, what was said, and what an operator may do.

import { ask } from './ask.js';
import { h } from './dom.js';
import { withImages } from './images.js';
import { groupPicture } from './pictures.js';
import { head, link, state } from './pieces.js';
import { fill } from './table.js';
import { clock, moment, number, t } from './words.js';

// Members that are listed; the rest is a number.
const MOST_MEMBERS = 200;

const ends = { 'answer.end': (event) => event.text, 'answer.error': (event) => event.text || t('broken') };

function said(event) {
  if (event.type === 'message') {
    const { role, author, created_at: at } = event.message;
    return h('li', { class: role }, h('span', { class: 'who' }, `${author} · ${clock(at)}`), withImages(event.message));
  }
  const text = ends[event.type]?.(event);
  return text && h('li', { class: 'assistant' }, h('span', { class: 'who' }, t('assistant')), text);
}

export function group({ api, acts, say, argument: name }) {
  const at = `groups/${encodeURIComponent(name)}`;
  const facts = h('p', { class: 'note' });
  const picture = h('div', { class: 'card' });
  const members = h('div', {});
  const others = h('p', { class: 'note', hidden: true });
  const talk = h('ul', { class: 'talk', tabindex: 0, 'aria-label': t('talk') });
  const earlier = h('button', { class: 'quiet', type: 'button', hidden: true }, t('earlier'));
  const toggle = h('button', { class: 'act', type: 'button', hidden: true });
  const waits = h('p', { class: 'waits', hidden: true });
  const dismiss = h('button', { class: 'quiet', type: 'button', hidden: true }, t('dismiss'));
  const end = h('button', { class: 'danger', type: 'button', hidden: true }, t('end_group'));
  const text = h('textarea', { rows: 2, required: true, 'aria-label': t('speak_label') });
  let [first, newest, assistant] = [null, 0, true];

  const read = async (before) => {
    const query = before ? `?limit=100&before=${before}` : '?limit=100';
    const page = await api.get(`${at}/messages${query}`).catch((error) => (error.status === 404 ? { events: [], more: false } : Promise.reject(error)));
    return page;
  };
  const follow = async (lastSeq) => {
    if (lastSeq <= newest && first !== null) return;
    const page = await read();
    // What another look has shown meanwhile is not shown twice.
    const fresh = page.events.filter((event) => event.seq > newest);
    if (first === null) {
      first = page.events[0]?.seq ?? 0;
      earlier.hidden = !page.more;
    }
    const atEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 40;
    talk.append(...fresh.map(said).filter(Boolean));
    newest = Math.max(newest, page.events.at(-1)?.seq ?? 0);
    if (atEnd) talk.scrollTop = talk.scrollHeight;
  };
  earlier.onclick = async () => {
    const page = await read(first);
    first = page.events[0]?.seq ?? first;
    earlier.hidden = !page.more;
    talk.prepend(...page.events.map(said).filter(Boolean));
  };
  const refresh = async () => {
    const [told, running] = await Promise.all([api.get(at), api.get('answers')]);
    assistant = told.assistant;
    // What can be done shows where there is such a group.
    toggle.hidden = end.hidden = form.hidden = false;
    facts.replaceChildren(
      `${t('members')} ${number(told.total)} · ${t('last_event')} ${number(told.last_seq)} · ${t('created')} ${moment(told.created_at)} · ${t('expires')} ${moment(told.expires_at)} · `,
      assistant ? state('good', `${t('assistant')}: ${t('on')}`) : state('bad', t('off')),
    );
    toggle.textContent = assistant ? t('take_over') : t('hand_back');
    const people = told.members.filter((member) => member.kind === 'session');
    const answering = running.answers.filter((answer) => answer.group === name).length;
    picture.replaceChildren(groupPicture(name, people, answering, picture.clientWidth));
    fill(members, columns, told.members.slice(0, MOST_MEMBERS), t('nobody'));
    others.hidden = told.members.length <= MOST_MEMBERS;
    others.textContent = t('and_more', { count: told.members.length - MOST_MEMBERS });
    waits.hidden = dismiss.hidden = !told.waiting;
    waits.textContent = told.waiting ? `${t('waits_since', { user: told.waiting.user, time: moment(told.waiting.since) })}${told.waiting.text ? ` “${told.waiting.text}”` : ''}` : '';
    await follow(told.last_seq);
  };
  const columns = [
    { title: t('user'), kind: 'name', of: (row) => row.user ?? t('django') },
    { title: t('session'), kind: 'name', of: (row) => (row.session ? link('session', row.session) : h('span', { class: 'mono' }, row.channel)) },
    { title: t('node'), kind: 'name', of: (row) => row.node },
    { title: t('since'), kind: 'time', of: (row) => moment(row.since) },
  ];
  const done = (outcome) => {
    say(outcome?.pending?.length ? t('pending', { nodes: outcome.pending.join(', ') }) : t('done'));
    return refresh();
  };
  toggle.onclick = async () => {
    if (assistant && !(await ask(t('take_over_ask', { group: name }), t('take_over')))) return;
    await done(await api.act(assistant ? 'DELETE' : 'PUT', `${at}/assistant`));
  };
  dismiss.onclick = async () => {
    if (!(await ask(t('dismiss_ask', { group: name }), t('dismiss')))) return;
    await done(await api.act('DELETE', `waiting/${encodeURIComponent(name)}`));
  };
  end.onclick = async () => {
    if (!(await ask(t('end_group_ask', { group: name }), t('end_group')))) return;
    await api.act('DELETE', at);
    say(t('done'));
    location.hash = '#groups';
  };
  const form = h('form', { class: 'speak', hidden: true }, text, h('button', { class: 'act' }, t('speak')));
  form.onsubmit = async (event) => {
    event.preventDefault();
    const words = text.value.trim();
    if (!words) return;
    await api.act('POST', `${at}/messages`, { text: words });
    text.value = '';
    await refresh();
  };
  return {
    title: name,
    part: 'groups',
    element: h(
      'div',
      {},
      head(name, acts && [dismiss, toggle, end]),
      waits,
      facts,
      h('div', { class: 'two' }, h('section', {}, h('h3', {}, t('talk')), h('div', { class: 'card' }, earlier, talk, acts && form)), h('section', {}, h('h3', {}, t('members')), picture, h('br'), members, others)),
    ),
    refresh,
  };
}
