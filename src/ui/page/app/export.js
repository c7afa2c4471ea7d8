// A conversation as a file: all that the server still has of it, read page by page.

import { config } from './config.js';
import { person } from './people.js';
import { t } from './texts.js';

const PAGE = 100;
// A log ends long before; this ends whatever the server says.
const MOST_PAGES = 2_000;
const AGAIN = 5;

// Every logged event of a group, oldest first.
export async function whole(client, group) {
  let events = [];
  let before;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const reply = await patiently(() => client.request('history.get', { group, limit: PAGE, ...(before === undefined ? {} : { before }) }));
    if (!reply.events.length) break;
    events = [...reply.events, ...events];
    before = reply.events[0].seq;
    if (!reply.more) break;
  }
  return events;
}

// A limit of reads passes by itself.
async function patiently(ask) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask();
    } catch (refused) {
      if (!refused.retryAfterMs || attempt >= AGAIN) throw refused;
      await new Promise((resolve) => setTimeout(resolve, refused.retryAfterMs));
    }
  }
}

export function asJson(events, { group, user }) {
  return `${JSON.stringify({ format: 'sophie.chat.v1', group, user, exported_at: new Date().toISOString(), events }, null, 2)}\n`;
}

export function asMarkdown(events, { group, home }) {
  const parts = events.map((event) => entry(event)).filter(Boolean);
  return `${[`# ${group === home ? config.name : group}`, ...parts].join('\n\n')}\n`;
}

function entry({ type, message, text, reason }) {
  if (type === 'message') {
    const roles = { user: person(message.author), assistant: config.name, operator: t('role.operator'), system: t('role.system') };
    const name = roles[message.role] ?? message.role;
    return `**${escaped(name)}** · ${message.created_at}\n\n${message.text}`;
  }
  if (type === 'answer.end') return `**${escaped(config.name)}**\n\n${text}`;
  if (type === 'answer.error') return `**${escaped(config.name)}**\n\n${text ? `${text}\n\n` : ''}*${reason}*`;
  return '';
}

// A name is text, not Markdown.
const escaped = (name) => name.replace(/[\\`*_[\]<>#]/g, '\\$&');

export function save(text, name, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = Object.assign(document.createElement('a'), { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
