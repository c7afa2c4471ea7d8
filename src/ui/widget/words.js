// What the widget says. A part of /widget.js, which is put together in `src/ui/library.rs`.

const WORDS = {
  en: {
    chat: 'Chat',
    unread: ['{n} new message', '{n} new messages'],
    loading: 'The chat is loading…',
    failed: 'The chat cannot be shown here.',
    close: 'Close',
  },
  pt: {
    chat: 'Conversa',
    unread: ['{n} mensagem nova', '{n} mensagens novas'],
    loading: 'A conversa está carregando…',
    failed: 'A conversa não pode ser mostrada aqui.',
    close: 'Fechar',
  },
};

