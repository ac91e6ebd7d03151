// What a team would put together itself: Express, Socket.IO and better-sqlite3 in one process. It keeps each message and
// tells the room, over the same paths, events and shapes as Stoa, so that one driver measures both. Roles, permissions,
// limits, an event log and an edge it has not. CommonJS, because its packages lie elsewhere (NODE_PATH).
'use strict';

const { createServer } = require('node:http');
const { createSecretKey, randomBytes, randomUUID } = require('node:crypto');
const { join } = require('node:path');
const Database = require('better-sqlite3');
const express = require('express');
const jwt = require('jsonwebtoken');
const { Server } = require('socket.io');

const { PEER_PORT, PEER_DATA, PEER_RECOVERY } = process.env;

const database = new Database(join(PEER_DATA, 'peer.db'));
database.pragma('journal_mode = WAL');
database.pragma('synchronous = NORMAL');
database.exec(`
  CREATE TABLE IF NOT EXISTS secrets (only_row INTEGER PRIMARY KEY, secret TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, username TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS rooms (id TEXT PRIMARY KEY, slug TEXT NOT NULL UNIQUE, last_seq INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS members (room_id TEXT, user_id TEXT, PRIMARY KEY (room_id, user_id)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY, room_id TEXT NOT NULL, seq INTEGER NOT NULL, sender_id TEXT NOT NULL, content TEXT NOT NULL,
    created_at INTEGER NOT NULL, UNIQUE (room_id, seq)
  );
`);
database.prepare('INSERT OR IGNORE INTO secrets VALUES (1, ?)').run(randomBytes(32).toString('hex'));
// Made once: from a text, jsonwebtoken makes a key for each token, which takes it milliseconds.
const secret = createSecretKey(database.prepare('SELECT secret FROM secrets').pluck().get(), 'hex');

const userById = database.prepare('SELECT id, username FROM users WHERE id = ?');
const insertUser = database.prepare('INSERT INTO users VALUES (?, ?, ?)');
const roomBySlug = database.prepare('SELECT id, slug FROM rooms WHERE slug = ?');
const insertRoom = database.prepare('INSERT INTO rooms VALUES (?, ?, 0)');
const insertMember = database.prepare('INSERT OR IGNORE INTO members VALUES (?, ?)');
const isMember = database.prepare('SELECT 1 FROM members WHERE room_id = ? AND user_id = ?').pluck();
const nextSeq = database.prepare('UPDATE rooms SET last_seq = last_seq + 1 WHERE id = ? RETURNING last_seq').pluck();
const insertMessage = database.prepare('INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)');
const messagesBefore = database.prepare(`
  SELECT m.id, m.seq, m.content, m.created_at, u.id AS user_id, u.username
  FROM messages m JOIN users u ON u.id = m.sender_id
  WHERE m.room_id = ? AND m.seq < ? ORDER BY m.seq DESC LIMIT ?
`);

class Refused extends Error {
  constructor(status, code, message = code) {
    super(message);
    Object.assign(this, { status, code });
  }
}

const shown = (room, sender, { id, seq, content, created_at }) => ({
  id,
  seq,
  room,
  sender: { id: sender.id, username: sender.username, name: sender.username, avatarUrl: null },
  content,
  type: 'text',
  reactions: {},
  readByCount: 0,
  mentions: [],
  createdAt: new Date(created_at).toISOString(),
});

const enter = database.transaction((user, slug) => {
  let room = roomBySlug.get(slug);
  if (!room) {
    room = { id: randomUUID(), slug };
    insertRoom.run(room.id, slug);
  }
  insertMember.run(room.id, user.id);
  return room;
});

const store = database.transaction((user, slug, content) => {
  const room = roomBySlug.get(slug);
  if (!room) throw new Refused(404, 'UNKNOWN_ROOM');
  if (!isMember.get(room.id, user.id)) throw new Refused(403, 'NOT_A_MEMBER');
  const message = { id: randomUUID(), seq: nextSeq.get(room.id), content, created_at: Date.now() };
  insertMessage.run(message.id, room.id, message.seq, user.id, content, message.created_at);
  return shown(slug, user, message);
});

const say = (user, { room, content } = {}) => {
  if (typeof room !== 'string' || typeof content !== 'string' || content.length === 0 || content.length > 4000) {
    throw new Refused(422, 'VALIDATION_FAILED');
  }
  const message = store(user, room, content);
  sockets.to(room).emit('new-message', message);
  return message;
};

const userOf = (token) => {
  try {
    const user = userById.get(jwt.verify(token, secret).sub);
    if (user) return user;
  } catch {
    // As with a user who is not there: the token is refused.
  }
  throw new Refused(401, 'UNAUTHENTICATED', 'Authentication error');
};

const app = express();
app.disable('x-powered-by');
app.use(express.json({ limit: '64kb' }));
app.get('/health/ready', (_, response) => response.json({ status: 'ready' }));
app.post('/api/auth/register', ({ body: { email } }, response) => {
  const user = { id: randomUUID(), username: email.split('@')[0] };
  insertUser.run(user.id, email, user.username);
  response.status(201).json({ user, accessToken: jwt.sign({ sub: user.id }, secret, { expiresIn: '12h' }) });
});

const signedIn = (request, _, next) => {
  request.user = userOf((request.get('authorization') ?? '').replace('Bearer ', ''));
  next();
};
app.post('/api/rooms', signedIn, ({ user, body: { slug } }, response) => {
  if (roomBySlug.get(slug)) throw new Refused(409, 'SLUG_TAKEN');
  response.status(201).json(enter(user, slug));
});
app.post('/api/rooms/:slug/join', signedIn, ({ user, params }, response) => response.json(enter(user, params.slug)));
app.post('/api/messages', signedIn, ({ user, body }, response) => response.status(201).json(say(user, body)));
app.get('/api/messages', signedIn, ({ query }, response) => {
  const room = roomBySlug.get(query.room);
  if (!room) throw new Refused(404, 'UNKNOWN_ROOM');
  const limit = Math.min(Number(query.limit ?? 50), 100);
  const rows = messagesBefore.all(room.id, Number(query.before ?? Number.MAX_SAFE_INTEGER), limit);
  const data = rows.reverse().map((row) => shown(room.slug, { id: row.user_id, username: row.username }, row));
  response.json({ data, nextCursor: null });
});
app.use((error, _request, response, _next) => {
  response.status(error.status ?? 500).json({ code: error.code ?? 'INTERNAL', detail: error.message });
});

const server = createServer(app);
const recovery = PEER_RECOVERY === 'on' ? { connectionStateRecovery: {} } : {};
const sockets = new Server(server, { serveClient: false, maxHttpBufferSize: 64 * 1024, ...recovery });
sockets.use((socket, next) => {
  try {
    socket.data.user = userOf(socket.handshake.auth.token);
    next();
  } catch (error) {
    next(error);
  }
});
sockets.on('connection', (socket) => {
  const { user } = socket.data;
  const answered = (act) => (argument, answer) => {
    try {
      const done = act(argument);
      if (typeof answer === 'function') answer({ ok: true, ...done });
    } catch ({ code, message }) {
      if (typeof answer === 'function') answer({ ok: false, error: { code, message } });
      else socket.emit('error', { code, message });
    }
  };
  socket.on('join-room', answered((slug) => {
    const room = enter(user, slug);
    socket.join(slug);
    return { room };
  }));
  socket.on('send-message', answered((said) => ({ message: say(user, said) })));
  socket.emit('authenticated', { userId: user.id, recovered: socket.recovered });
});

server.listen(Number(PEER_PORT), '127.0.0.1');
