// The words of the console, in each of its languages.

const WORDS = {
  en: {
    skip: 'Skip to the content', console: 'console', sign_out: 'Sign out', language: 'Português',
    sign_in: 'Sign in', token: 'Admin token', sign_in_note: 'The token is admin.token of the settings, or admin.view_token to look only. Without a setting, the program logs one at its start. It is kept in this tab until you close it.',
    token_wrong: 'This token is not taken. Look for admin.token in the settings, or in the first lines of the log.',
    unreachable: 'The node does not answer. Is it running? The console tries again.',
    live: 'Live, from {node}', lost: 'No live figures: the node does not answer', connecting: 'Connecting',
    overview: 'Overview', groups: 'Groups', sessions: 'Sessions', nodes: 'Nodes', answers: 'Answers', cache: 'Cache', limits: 'Limits', backends: 'Backends', redis: 'Redis', waiting: 'People waiting', feedback: 'Ratings', audit: 'Acts',
    quarter: 'Last 15 minutes', day: 'Last day', span: 'Time span',
    sockets: 'Sockets', messages: 'Events', members: 'Members', answers_per_minute: 'Answers a minute', tokens_per_minute: 'Tokens a minute', cost_per_hour: 'Cost an hour', hit_rate: 'Answers without the backend', first_piece: 'Time to the first piece', append: 'Writing an event', redis_calls: 'Calls to Redis', complete: 'complete', failed: 'failed', cancelled: 'stopped', spent: 'spent', saved: 'saved', half: 'half within', most: '99 % within', refused: 'Refused by limits', nothing_measured: 'nothing measured yet', failed_answers: 'Failed a minute',
    cluster: 'The cluster', cluster_picture: 'The nodes: {nodes}', going: 'going', node_load: '{sockets} sockets, {sessions} sessions', store: 'Store',
    name: 'Name', search: 'Search by the beginning of the name', find: 'Search', last_event: 'Last event', created: 'Created', expires: 'Expires', assistant: 'Assistant', on: 'on', off: 'a person answers', more: 'Next page', first_page: 'First page', empty: 'There is nothing here.', loading: 'Reading…',
    session: 'Session', user: 'User', node: 'Node', since: 'Since', address: 'Address', queued: 'Bytes waiting', version: 'Version', delay: 'Delay of the registry', state: 'State', serving: 'serving',
    answer: 'Answer', model: 'Model', group: 'Group', written_here: 'Written here', readers: 'Readers', yes: 'yes', no: 'no', where: 'Where', django: 'Django consumer',
    entries: 'Entries', bytes: 'Size', hits: 'Hits today', shared: 'Shared today', misses: 'Misses today', saved_tokens: 'Tokens saved today', purge: 'Empty the cache', purge_ask: 'Empty the whole cache? Every question is then answered by a backend again.', purged: '{count} entries were removed.',
    subject: 'Who', limit: 'Limit', times: 'Times', last: 'Last', give_back: 'Give back', give_back_ask: 'Give {subject} back everything that its limits have taken?', given_back: '{subject} has everything back.', edge_note: 'Those whom a limit refused in the last 15 minutes.', look_up: 'Look up a user, address, group or key', left: 'Left', full_at: 'Full again',
    url: 'Address', requests: 'Requests', failures: 'Failures', last_error: 'Last failure', closed: 'asked', open: 'left out', half_open: 'being tried', no_backends: 'The demo answers: no backend is set.', usage_today: 'Today, by model', prompt: 'Tokens in', completion: 'Tokens out', cost: 'Cost',
    database: 'Database', reachable: 'Reachable', latency: 'Latency', memory: 'Memory', policy: 'Eviction', clients: 'Clients', evictions: 'Evicted', connections: 'Connections', no_redis: 'Redis is not used: everything is in the memory of this node.', of: '{part} of {all}',
    speak: 'Say it', speak_label: 'Say something as operator', take_over: 'Take over', take_over_ask: 'Take over {group}? The assistant no longer answers there until you hand back.', hand_back: 'Hand back to the assistant', end_group: 'End the group', end_group_ask: 'End {group}? Its members leave it and its log is deleted. This cannot be undone.', disconnect: 'Disconnect', disconnect_ask: 'Disconnect {session}? Its sockets are closed and do not come back by themselves.', dismiss: 'Dismiss', dismiss_ask: 'Take {group} out of the queue without answering?', done: 'Done.', pending: 'Done here. These nodes have yet to do it: {nodes}', cancel: 'Cancel', talk: 'What was said', earlier: 'Earlier', group_picture: 'Who is in {group}: {who}', nobody: 'Nobody is in this group now.', broken: 'The answer broke off', running: '{count} answers under way', and_more: 'and {count} more',
    text: 'What they said', rating: 'Rating', at: 'When', who: 'Who', act: 'Act', about: 'About', outcome: 'Outcome', look_only: 'This token may look only.',
    no_queue: 'Nobody waits for a person.',
  },
  pt: {
    skip: 'Ir para o conteúdo', console: 'console', sign_out: 'Sair', language: 'English',
    sign_in: 'Entrar', token: 'Token de administração', sign_in_note: 'O token é admin.token nas configurações, ou admin.view_token apenas para ver. Sem essa configuração, o programa registra um no log ao iniciar. Ele fica nesta aba até que você a feche.',
    token_wrong: 'Este token não é aceito. Procure admin.token nas configurações, ou nas primeiras linhas do log.',
    unreachable: 'O nó não responde. Ele está em execução? O console tenta de novo.',
    live: 'Ao vivo, de {node}', lost: 'Sem números ao vivo: o nó não responde', connecting: 'Conectando',
    overview: 'Visão geral', groups: 'Grupos', sessions: 'Sessões', nodes: 'Nós', answers: 'Respostas', cache: 'Cache', limits: 'Limites', backends: 'Backends', redis: 'Redis', waiting: 'Pessoas esperando', feedback: 'Avaliações', audit: 'Ações',
    quarter: 'Últimos 15 minutos', day: 'Último dia', span: 'Período',
    sockets: 'Conexões', messages: 'Eventos', members: 'Membros', answers_per_minute: 'Respostas por minuto', tokens_per_minute: 'Tokens por minuto', cost_per_hour: 'Custo por hora', hit_rate: 'Respostas sem o backend', first_piece: 'Tempo até o primeiro trecho', append: 'Gravar um evento', redis_calls: 'Chamadas ao Redis', complete: 'completas', failed: 'com falha', cancelled: 'interrompidas', spent: 'gastos', saved: 'poupados', half: 'metade em até', most: '99 % em até', refused: 'Recusados por limites', nothing_measured: 'nada medido ainda', failed_answers: 'Falhas por minuto',
    cluster: 'O cluster', cluster_picture: 'Os nós: {nodes}', going: 'saindo', node_load: '{sockets} conexões, {sessions} sessões', store: 'Dados',
    name: 'Nome', search: 'Buscar pelo começo do nome', find: 'Buscar', last_event: 'Último evento', created: 'Criado', expires: 'Expira', assistant: 'Assistente', on: 'ligado', off: 'uma pessoa responde', more: 'Próxima página', first_page: 'Primeira página', empty: 'Não há nada aqui.', loading: 'Lendo…',
    session: 'Sessão', user: 'Usuário', node: 'Nó', since: 'Desde', address: 'Endereço', queued: 'Bytes esperando', version: 'Versão', delay: 'Atraso do registro', state: 'Estado', serving: 'atendendo',
    answer: 'Resposta', model: 'Modelo', group: 'Grupo', written_here: 'Escrita aqui', readers: 'Leitores', yes: 'sim', no: 'não', where: 'Onde', django: 'Consumidor do Django',
    entries: 'Entradas', bytes: 'Tamanho', hits: 'Acertos hoje', shared: 'Compartilhadas hoje', misses: 'Erros hoje', saved_tokens: 'Tokens poupados hoje', purge: 'Esvaziar o cache', purge_ask: 'Esvaziar todo o cache? Toda pergunta será respondida de novo por um backend.', purged: '{count} entradas foram removidas.',
    subject: 'Quem', limit: 'Limite', times: 'Vezes', last: 'Última', give_back: 'Devolver', give_back_ask: 'Devolver a {subject} tudo o que os limites tiraram?', given_back: '{subject} tem tudo de volta.', edge_note: 'Quem um limite recusou nos últimos 15 minutos.', look_up: 'Procurar um usuário, endereço, grupo ou chave', left: 'Resta', full_at: 'Cheio de novo',
    url: 'Endereço', requests: 'Pedidos', failures: 'Falhas', last_error: 'Última falha', closed: 'em uso', open: 'fora de uso', half_open: 'em teste', no_backends: 'A demonstração responde: nenhum backend foi configurado.', usage_today: 'Hoje, por modelo', prompt: 'Tokens de entrada', completion: 'Tokens de saída', cost: 'Custo',
    database: 'Banco', reachable: 'Acessível', latency: 'Latência', memory: 'Memória', policy: 'Descarte', clients: 'Clientes', evictions: 'Descartadas', connections: 'Conexões', no_redis: 'O Redis não é usado: tudo está na memória deste nó.', of: '{part} de {all}',
    speak: 'Dizer', speak_label: 'Dizer algo como operador', take_over: 'Assumir', take_over_ask: 'Assumir {group}? O assistente não responde mais ali até você devolver.', hand_back: 'Devolver ao assistente', end_group: 'Encerrar o grupo', end_group_ask: 'Encerrar {group}? Os membros saem e o registro é apagado. Isso não pode ser desfeito.', disconnect: 'Desconectar', disconnect_ask: 'Desconectar {session}? As conexões são fechadas e não voltam sozinhas.', dismiss: 'Dispensar', dismiss_ask: 'Tirar {group} da fila sem responder?', done: 'Feito.', pending: 'Feito aqui. Estes nós ainda não fizeram: {nodes}', cancel: 'Cancelar', talk: 'O que foi dito', earlier: 'Anteriores', group_picture: 'Quem está em {group}: {who}', nobody: 'Ninguém está neste grupo agora.', broken: 'A resposta foi interrompida', running: '{count} respostas em andamento', and_more: 'e mais {count}',
    text: 'O que disseram', rating: 'Nota', at: 'Quando', who: 'Quem', act: 'Ação', about: 'Sobre', outcome: 'Resultado', look_only: 'Este token permite apenas ver.',
    no_queue: 'Ninguém espera por uma pessoa.',
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

// The words of a key, with `{name}` replaced by what is given.
export function t(key, given = {}) {
  return WORDS[language][key].replace(/\{(\w+)\}/g, (_, name) => given[name]);
}

export function switchLanguage() {
  language = language === 'pt' ? 'en' : 'pt';
  document.documentElement.lang = language === 'pt' ? 'pt-BR' : 'en';
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // It holds for this page then.
  }
}

const locale = () => document.documentElement.lang;
export const number = (value) => (typeof value === 'number' ? value.toLocaleString(locale(), { maximumFractionDigits: value < 10 ? 2 : 0 }) : '–');
export const moment = (text) => (text ? new Date(text).toLocaleString(locale(), { dateStyle: 'short', timeStyle: 'medium' }) : '–');
export const clock = (text) => new Date(text).toLocaleTimeString(locale());

export function size(bytes) {
  if (typeof bytes !== 'number') return '–';
  const unit = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), 4);
  return `${number(bytes / 1024 ** unit)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit]}`;
}
