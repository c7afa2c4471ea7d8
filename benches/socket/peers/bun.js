// Bun's WebSocket server as its documentation has it: a topic for each group. The port is the first argument.
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  fetch(request, server) {
    const group = new URL(request.url).pathname;
    return server.upgrade(request, { data: { group } }) ? undefined : new Response("a WebSocket", { status: 400 });
  },
  websocket: {
    open(socket) {
      socket.subscribe(socket.data.group);
    },
    message(socket, text) {
      server.publish(socket.data.group, text);
    },
  },
});
