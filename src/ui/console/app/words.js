// The words of the console, in each of its languages.

const WORDS = {
  en: {
    skip: 'Skip to the content', parts: 'Parts of the console', console: 'console', sign_out: 'Sign out', language: 'Português',
    sign_in: 'Sign in', token: 'Admin token', sign_in_note: 'The token is admin.token of the settings, or admin.view_token to look only. Without a setting, the program logs one at its start. It is kept in this tab until you close it.',
    token_wrong: 'This token is not taken. Look for admin.token in the settings, or in the first lines of the log.',
    unreachable: 'The node does not answer. Is it running? The console tries again.',
    live: 'Live, from {node}', lost: 'No live figures: the node does not answer', crowded: 'No live figures: the node serves as many consoles as it can', connecting: 'Connecting',
    overview: 'Overview', groups: 'Groups', sessions: 'Sessions', nodes: 'Nodes', answers: 'Answers', cache: 'Cache', limits: 'Limits', backends: 'Backends', redis: 'Redis', waiting: 'People waiting', feedback: 'Ratings', audit: 'Acts',
    quarter: 'Last 15 minutes', day: 'Last day', span: 'Time span',
    sockets: 'Sockets', messages: 'Events', members: 'Members', answers_per_minute: 'Answers a minute', tokens_per_minute: 'Tokens a minute', cost_per_hour: 'Cost an hour', hit_rate: 'Answers without the backend', first_piece: 'Time to the first piece', append: 'Writing an event', redis_calls: 'Calls to Redis', complete: 'complete', failed: 'failed', cancelled: 'stopped', spent: 'spent', saved: 'saved', half: 'half within', most: '99 % within', refused: 'Refused by limits', nothing_measured: 'nothing measured yet', no_points_quarter: 'the first point comes in a moment', no_points_day: 'a point every five minutes; there is none yet', failed_answers: 'Failed a minute',
    cluster: 'The cluster', cluster_picture: 'The nodes: {nodes}', going: 'going', sockets_count: '{count} sockets', sockets_count_one: '{count} socket', sessions_count: '{count} sessions', sessions_count_one: '{count} session', store: 'Store',
    name: 'Name', search: 'Search by the beginning of the name', find: 'Search', last_event: 'Last event', created: 'Created', expires: 'Expires', assistant: 'Assistant', on: 'on', off: 'a person answers', more: 'Next page', first_page: 'First page', empty: 'There is nothing here.', loading: 'Reading…',
    session: 'Session', user: 'User', node: 'Node', since: 'Since', address: 'Address', queued: 'Bytes waiting', version: 'Version', delay: 'Delay of the registry', state: 'State', serving: 'serving',
    answer: 'Answer', model: 'Model', group: 'Group', written_here: 'Written here', readers: 'Readers', yes: 'yes', no: 'no', where: 'Where', django: 'Django consumer',
    entries: 'Entries', bytes: 'Size', hits: 'Hits today', shared: 'Shared today', misses: 'Misses today', saved_tokens: 'Tokens saved today', purge: 'Empty the cache', purge_ask: 'Empty the whole cache? Every question is then answered by a backend again.', purged: '{count} entries were removed.', purged_one: '{count} entry was removed.',
    subject: 'Who', limit: 'Limit', times: 'Times', last: 'Last', give_back: 'Give back', give_back_ask: 'Give {subject} back everything that its limits have taken?', given_back: '{subject} has everything back.', edge_note: 'Those whom a limit refused in the last 15 minutes.', look_up: 'Look up a user, address, group or key', left: 'Left', full_at: 'Full again', no_edge: 'No limit refused anybody.', no_limits: 'No limit holds here.',
    url: 'Address', requests: 'Requests', failures: 'Failures', last_error: 'Last failure', closed: 'asked', open: 'left out', half_open: 'being tried', no_backends: 'The demo answers: no backend is set.', usage_today: 'Today, by model', prompt: 'Tokens in', completion: 'Tokens out', cost: 'Cost', tokens_saved: 'Tokens saved', cost_saved: 'Cost saved', all: 'All', first_piece_within: 'First piece: half / 99 % within', tried_in: 'tried again in {time}', backends_note: 'As this node has found them since it began.', no_usage: 'No answer was written today.',
    database: 'Database', reachable: 'Reachable', latency: 'Latency', memory: 'Memory', policy: 'Eviction', clients: 'Clients', evictions: 'Evicted', connections: 'Connections', no_redis: 'Redis is not used: everything is in the memory of this node.', of: '{part} of {all}',
    speak: 'Say it', speak_label: 'Say something as operator', take_over: 'Take over', take_over_ask: 'Take over {group}? The assistant no longer answers there until you hand back.', hand_back: 'Hand back to the assistant', end_group: 'End the group', end_group_ask: 'End {group}? Its members leave it and its log is deleted. This cannot be undone.', disconnect: 'Disconnect', disconnect_ask: 'Disconnect {session}? Its sockets are closed and do not come back by themselves.', dismiss: 'Dismiss', dismiss_ask: 'Take {group} out of the queue without answering?', done: 'Done.', pending: 'Done here. These nodes have yet to do it: {nodes}', cancel: 'Cancel', talk: 'What was said', earlier: 'Earlier', group_picture: 'Who is in {group}: {who}', nobody: 'Nobody is in this group now.', broken: 'The answer broke off', running: '{count} answers under way', running_one: '{count} answer under way', and_more: 'and {count} more',
    text: 'In words', rating: 'Rating', at: 'When', who: 'Who', from_where: 'From where', act: 'Act', about: 'About', outcome: 'Outcome', look_only: 'This token only looks.',
    no_queue: 'Nobody waits for a person.', no_ratings: 'There are no such ratings.', no_acts: 'No operator has done anything yet.', no_answers: 'No answer is under way at this node.', no_sockets: 'No socket is open.',
    waits: 'Waits', waits_since: '{user} waits for a person since {time}.', waits_now: '{user} waits for a person in {group}.',
    good: 'Good answer', bad: 'Bad answer', good_answers: 'Good answers', bad_answers: 'Bad answers', stars: 'Chat: {stars} of 5', rated_chats: 'Chats rated', average: 'Chats, on average', show: 'Show', every_rating: 'All ratings', with_words: 'Only with words',
    act_speak: 'Spoke', act_assistant_on: 'Handed back', act_assistant_off: 'Took over', act_end_group: 'Ended a group', act_dismiss: 'Dismissed', act_disconnect: 'Disconnected', act_purge_cache: 'Emptied the cache', act_give_back_limits: 'Gave limits back', act_other: 'Something else',
    outcome_done: 'done', outcome_pending: 'not everywhere yet', outcome_refused: 'refused', outcome_failed: 'failed', who_admin: 'Admin token', who_view: 'View token',
    error_not_found: 'There is no such thing, or no more.', error_not_allowed: 'This token only looks: the admin token is needed for that.', error_store_unavailable: 'Redis does not answer in time. Try again in a moment.', error_overloaded: 'The node has too much to do. Try again in a moment.', error_internal: 'Something went wrong in the node; its log says what.',
  },
  pt: {
    skip: 'Ir para o conteúdo', parts: 'Partes do console', console: 'console', sign_out: 'Sair', language: 'English',
    sign_in: 'Entrar', token: 'Token de administração', sign_in_note: 'O token é admin.token nas configurações, ou admin.view_token apenas para ver. Sem essa configuração, o programa registra um no log ao iniciar. Ele fica nesta aba até que você a feche.',
    token_wrong: 'Este token não é aceito. Procure admin.token nas configurações, ou nas primeiras linhas do log.',
    unreachable: 'O nó não responde. Ele está em execução? O console tenta de novo.',
    live: 'Ao vivo, de {node}', lost: 'Sem números ao vivo: o nó não responde', crowded: 'Sem números ao vivo: o nó já atende todos os consoles que pode', connecting: 'Conectando',
    overview: 'Visão geral', groups: 'Grupos', sessions: 'Sessões', nodes: 'Nós', answers: 'Respostas', cache: 'Cache', limits: 'Limites', backends: 'Backends', redis: 'Redis', waiting: 'Pessoas esperando', feedback: 'Avaliações', audit: 'Ações',
    quarter: 'Últimos 15 minutos', day: 'Último dia', span: 'Período',
    sockets: 'Conexões', messages: 'Eventos', members: 'Membros', answers_per_minute: 'Respostas por minuto', tokens_per_minute: 'Tokens por minuto', cost_per_hour: 'Custo por hora', hit_rate: 'Respostas sem o backend', first_piece: 'Tempo até o primeiro trecho', append: 'Gravar um evento', redis_calls: 'Chamadas ao Redis', complete: 'completas', failed: 'com falha', cancelled: 'interrompidas', spent: 'gastos', saved: 'poupados', half: 'metade em até', most: '99 % em até', refused: 'Recusados por limites', nothing_measured: 'nada medido ainda', no_points_quarter: 'o primeiro ponto vem em um instante', no_points_day: 'um ponto a cada cinco minutos; ainda não há nenhum', failed_answers: 'Falhas por minuto',
    cluster: 'O cluster', cluster_picture: 'Os nós: {nodes}', going: 'saindo', sockets_count: '{count} conexões', sockets_count_one: '{count} conexão', sessions_count: '{count} sessões', sessions_count_one: '{count} sessão', store: 'Dados',
    name: 'Nome', search: 'Buscar pelo começo do nome', find: 'Buscar', last_event: 'Último evento', created: 'Criado', expires: 'Expira', assistant: 'Assistente', on: 'ligado', off: 'uma pessoa responde', more: 'Próxima página', first_page: 'Primeira página', empty: 'Não há nada aqui.', loading: 'Lendo…',
    session: 'Sessão', user: 'Usuário', node: 'Nó', since: 'Desde', address: 'Endereço', queued: 'Bytes esperando', version: 'Versão', delay: 'Atraso do registro', state: 'Estado', serving: 'atendendo',
    answer: 'Resposta', model: 'Modelo', group: 'Grupo', written_here: 'Escrita aqui', readers: 'Leitores', yes: 'sim', no: 'não', where: 'Onde', django: 'Consumidor do Django',
    entries: 'Entradas', bytes: 'Tamanho', hits: 'Acertos hoje', shared: 'Compartilhadas hoje', misses: 'Sem acerto hoje', saved_tokens: 'Tokens poupados hoje', purge: 'Esvaziar o cache', purge_ask: 'Esvaziar todo o cache? Toda pergunta será respondida de novo por um backend.', purged: '{count} entradas foram removidas.', purged_one: '{count} entrada foi removida.',
    subject: 'Quem', limit: 'Limite', times: 'Vezes', last: 'Última', give_back: 'Devolver', give_back_ask: 'Devolver a {subject} tudo o que os limites tiraram?', given_back: '{subject} tem tudo de volta.', edge_note: 'Quem um limite recusou nos últimos 15 minutos.', look_up: 'Procurar um usuário, endereço, grupo ou chave', left: 'Resta', full_at: 'Cheio de novo', no_edge: 'Nenhum limite recusou ninguém.', no_limits: 'Nenhum limite vale aqui.',
    url: 'Endereço', requests: 'Pedidos', failures: 'Falhas', last_error: 'Última falha', closed: 'em uso', open: 'fora de uso', half_open: 'em teste', no_backends: 'A demonstração responde: nenhum backend foi configurado.', usage_today: 'Hoje, por modelo', prompt: 'Tokens de entrada', completion: 'Tokens de saída', cost: 'Custo', tokens_saved: 'Tokens poupados', cost_saved: 'Custo poupado', all: 'Tudo', first_piece_within: 'Primeiro trecho: metade / 99 % em até', tried_in: 'nova tentativa em {time}', backends_note: 'Como este nó os encontrou desde que começou.', no_usage: 'Nenhuma resposta foi escrita hoje.',
    database: 'Banco', reachable: 'Acessível', latency: 'Latência', memory: 'Memória', policy: 'Descarte', clients: 'Clientes', evictions: 'Descartadas', connections: 'Conexões', no_redis: 'O Redis não é usado: tudo está na memória deste nó.', of: '{part} de {all}',
    speak: 'Dizer', speak_label: 'Dizer algo como operador', take_over: 'Assumir', take_over_ask: 'Assumir {group}? O assistente não responde mais ali até você devolver.', hand_back: 'Devolver ao assistente', end_group: 'Encerrar o grupo', end_group_ask: 'Encerrar {group}? Os membros saem e o registro é apagado. Isso não pode ser desfeito.', disconnect: 'Desconectar', disconnect_ask: 'Desconectar {session}? As conexões são fechadas e não voltam sozinhas.', dismiss: 'Dispensar', dismiss_ask: 'Tirar {group} da fila sem responder?', done: 'Feito.', pending: 'Feito aqui. Estes nós ainda não fizeram: {nodes}', cancel: 'Cancelar', talk: 'O que foi dito', earlier: 'Anteriores', group_picture: 'Quem está em {group}: {who}', nobody: 'Ninguém está neste grupo agora.', broken: 'A resposta foi interrompida', running: '{count} respostas em andamento', running_one: '{count} resposta em andamento', and_more: 'e mais {count}',
    text: 'Em palavras', rating: 'Nota', at: 'Quando', who: 'Quem', from_where: 'De onde', act: 'Ação', about: 'Sobre', outcome: 'Resultado', look_only: 'Este token permite apenas ver.',
    no_queue: 'Ninguém espera por uma pessoa.', no_ratings: 'Não há avaliações assim.', no_acts: 'Nenhum operador fez nada ainda.', no_answers: 'Nenhuma resposta em andamento neste nó.', no_sockets: 'Nenhuma conexão está aberta.',
    waits: 'Espera', waits_since: '{user} espera por uma pessoa desde {time}.', waits_now: '{user} espera por uma pessoa em {group}.',
    good: 'Resposta boa', bad: 'Resposta ruim', good_answers: 'Respostas boas', bad_answers: 'Respostas ruins', stars: 'Conversa: {stars} de 5', rated_chats: 'Conversas avaliadas', average: 'Conversas, em média', show: 'Mostrar', every_rating: 'Todas as avaliações', with_words: 'Só com palavras',
    act_speak: 'Falou', act_assistant_on: 'Devolveu', act_assistant_off: 'Assumiu', act_end_group: 'Encerrou um grupo', act_dismiss: 'Dispensou', act_disconnect: 'Desconectou', act_purge_cache: 'Esvaziou o cache', act_give_back_limits: 'Devolveu limites', act_other: 'Outra coisa',
    outcome_done: 'feito', outcome_pending: 'ainda não em todos os nós', outcome_refused: 'recusado', outcome_failed: 'falhou', who_admin: 'Token de administração', who_view: 'Token para ver',
    error_not_found: 'Isso não existe, ou não existe mais.', error_not_allowed: 'Este token permite apenas ver: para isso é preciso o token de administração.', error_store_unavailable: 'O Redis não responde a tempo. Tente de novo em um instante.', error_overloaded: 'O nó tem trabalho demais. Tente de novo em um instante.', error_internal: 'Algo deu errado no nó; o log dele diz o quê.',
  },
};

const KEY = 'sophie.console.language';

function chosen() {
  try {
    const kept = localStorage.getItem(KEY);
    if (kept in WORDS) return kept;
  } catch {
    // Storage may be off: then the browser's language decides.
  }
  return navigator.language.toLowerCase().startsWith('pt') ? 'pt' : 'en';
}

let language = chosen();
document.documentElement.lang = language === 'pt' ? 'pt-BR' : 'en';

// The words of a key, with `{name}` replaced by what is given. Those of `KEY_one`, if there are any, where `count` is 1.
export function t(key, given = {}) {
  const words = WORDS[language];
  const chosen = (given.count === 1 && words[`${key}_one`]) || words[key];
  const shown = (value) => (typeof value === 'number' ? number(value) : value);
  return chosen.replace(/\{(\w+)\}/g, (_, name) => shown(given[name]));
}

// The words of a key that the server has made, or what is to be shown where there are none.
export const word = (key, otherwise) => WORDS[language][key] ?? otherwise;

export function switchLanguage() {
  language = language === 'pt' ? 'en' : 'pt';
  document.documentElement.lang = language === 'pt' ? 'pt-BR' : 'en';
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // It holds for this page then.
  }
}

// Numbers and times as they are written where the reader is, if that is a place of this language.
function locale() {
  const lang = document.documentElement.lang;
  return navigator.languages.find((name) => name.slice(0, 2) === lang.slice(0, 2)) ?? lang;
}
export const number = (value) => (typeof value === 'number' ? value.toLocaleString(locale(), { maximumFractionDigits: value < 10 ? 2 : 0 }) : '–');
export const moment = (text) => (text ? new Date(text).toLocaleString(locale(), { dateStyle: 'short', timeStyle: 'medium' }) : '–');
export const clock = (text) => new Date(text).toLocaleTimeString(locale());
export const milliseconds = (value) => (typeof value !== 'number' ? '–' : value >= 1000 ? `${number(value / 1000)} s` : `${number(value)} ms`);

// Small sums keep the digits that count.
export function money(value, currency) {
  const digits = value > 0 && value < 1 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: 2 };
  return `${value.toLocaleString(locale(), digits)} ${currency}`;
}

// How long ago a moment was, in its largest whole unit.
export function ago(text) {
  const seconds = Math.max(0, Math.floor((Date.now() - new Date(text)) / 1000));
  const [unit, value] = seconds < 60 ? ['second', seconds] : seconds < 3600 ? ['minute', seconds / 60] : seconds < 86400 ? ['hour', seconds / 3600] : ['day', seconds / 86400];
  return Math.floor(value).toLocaleString(locale(), { style: 'unit', unit, unitDisplay: 'short' });
}

export function size(bytes) {
  if (typeof bytes !== 'number') return '–';
  const unit = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), 4);
  return `${number(bytes / 1024 ** unit)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit]}`;
}
