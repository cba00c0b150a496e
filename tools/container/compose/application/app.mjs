// The application of compose.yaml, for Node.js: says what came, and answers what is to become of it.
//
// 2xx: done. 4xx: never will do, so the message becomes a dead letter. 5xx, or no answer: once more
// later. A message may come again after a failure, with the same ce-id: who has handled it says so.
import http from "node:http";

const handled = new Set(); // what has to survive a restart is kept in the application's database

const server = http.createServer((request, response) => {
  if (request.method !== "POST") {
    response.end(`${handled.size} messages handled`);
    return;
  }
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const topic = decodeURIComponent(request.headers["ce-subject"] ?? "");
    let order;
    try {
      order = JSON.parse(Buffer.concat(pieces));
    } catch {
      response.writeHead(422).end("the payload is no JSON");
      return;
    }
    if (!handled.has(request.headers["ce-id"])) {
      console.log(`${topic}: ${JSON.stringify(order)}`); // here: the work
      handled.add(request.headers["ce-id"]);
    }
    response.writeHead(204).end();
  });
});

process.on("SIGTERM", () => process.exit(0));
server.listen(process.env.PORT ?? 8080);
