// aedes as a server of its own: a TCP listener, one with TLS, one that wants a certificate, and one
// for WebSockets.
//
//   node server.js PORT TLS_PORT MUTUAL_PORT WEBSOCKET_PORT FOLDER USER PASSWORD
//
// FOLDER has server.pem, server.key and ca.pem. NODE_PATH says where aedes is. Says "ready" with its
// version once it listens; SIGTERM ends it in good order.
'use strict'

const fs = require('fs')
const http = require('http')
const net = require('net')
const path = require('path')
const tls = require('tls')
const makeAedes = require('aedes')
const { WebSocketServer, createWebSocketStream } = require('ws')

const [port, tlsPort, mutualPort, webSocketPort, folder, user, password] = process.argv.slice(2)
const read = (name) => fs.readFileSync(path.join(folder, name))

const aedes = makeAedes({
  authenticate (client, name, given, done) {
    const certified = client.conn.authorized === true &&
      client.conn.getPeerCertificate().subject.CN === user
    if (certified || (name === user && String(given) === password)) return done(null, true)
    done(Object.assign(new Error('refused'), { returnCode: 4 }), false)
  }
})
for (const event of ['clientError', 'connectionError']) {
  aedes.on(event, (client, error) => console.log(event, client ? client.id : '', error.message))
}

const overHttp = http.createServer()
new WebSocketServer({ server: overHttp }).on('connection', (socket, request) => {
  aedes.handle(createWebSocketStream(socket), request)
})

const secret = { cert: read('server.pem'), key: read('server.key'), ca: read('ca.pem') }
const listeners = [
  [net.createServer(aedes.handle), port],
  [tls.createServer(secret, aedes.handle), tlsPort],
  [tls.createServer({ ...secret, requestCert: true, rejectUnauthorized: true }, aedes.handle),
    mutualPort],
  [overHttp, webSocketPort]
]
let waiting = listeners.length
for (const [server, where] of listeners) {
  server.listen(Number(where), '127.0.0.1', () => {
    if (--waiting === 0) console.log(`ready: aedes ${require('aedes/package.json').version}`)
  })
}

process.on('SIGTERM', () => {
  for (const [server] of listeners) server.close()
  aedes.close(() => process.exit(0))
})
