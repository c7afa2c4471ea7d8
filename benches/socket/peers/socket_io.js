// socket.io with a room for each group, over WebSocket alone. The port is the first argument.
const { createServer } = require("node:http");
const { Server } = require("socket.io");

const server = createServer();
const io = new Server(server, { transports: ["websocket"] });
io.on("connection", (socket) => {
  const { group } = socket.handshake.query;
  if (group) {
    socket.join(group);
  }
  socket.on("m", (text) => io.to(group).emit("m", text));
});
server.listen(Number(process.argv[2]), "127.0.0.1");
