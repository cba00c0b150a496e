// The keys of an alias and of a trigger, as docs/reference/configuration.md has them, in the order of a form.
// {key, label, type, hint, ...}; a group with `open: false` is folded until it has something in it.

const duration = (key, label, preset, hint) => ({key, label, type: 'amount', placeholder: preset, hint: hint ?? 'such as 500ms, 30s, 5m'});
const integer = (key, label, preset, hint) => ({key, label, type: 'amount', placeholder: preset, hint});
const choice = (key, label, choices, hint) => ({key, label, type: 'choice', choices, hint});
const pick = (key, label, list, more = {}) => ({key, label, type: 'pick', list, ...more});
const line = (key, label, hint, more = {}) => ({key, label, type: 'line', hint, ...more});

const name = {...line('name', 'Name', 'letters, digits, _ . and -'), needed: true, fixedWhenThere: true};
const description = line('description', 'Description', 'for people');
const enabled = {key: 'enabled', label: 'Enabled', type: 'flag', preset: true};
const others = {key: '', label: 'Other keys, as JSON', type: 'rest', wide: true, hint: 'keys that have no field here'};
const qos = [['1', '1, at least once'], ['0', '0, at most once'], ['2', '2, exactly once']];

export const aliasGroups = [
  {title: 'Connection alias', fields: [
    name, description,
    {key: 'host', label: 'Addresses', type: 'addresses', needed: true, answers: ['host', 'hosts'], wide: true,
      hint: 'tcp:// ssl:// ws:// or wss://HOST:PORT; one a line, tried in this order', placeholder: 'tcp://localhost:1883'},
    line('client_id', 'Client id', 'empty: made once, and kept'),
    choice('protocol', 'MQTT', [['', '3.1.1'], ['5', '5']]),
    enabled,
  ]},
  {title: 'Login and TLS', open: false, fields: [
    line('user_name', 'User name'),
    {key: 'password', label: 'Password', type: 'secret'},
    line('password_file', 'Password file', 'on the machine of triggerd'),
    pick('truststore', 'Truststore', 'truststores', {hint: 'needed with TLS', none: 'none'}),
    pick('keystore', 'Keystore', 'keystores', {hint: 'for mutual TLS', none: 'none'}),
    line('key_alias', 'Key', 'which key of the keystore'),
    {key: 'alpn', label: 'ALPN', type: 'lines', hint: 'protocols, one a line'},
  ]},
  {title: 'Proxy', open: false, fields: [
    line('proxy', 'Proxy', 'http:// or socks5://USER@HOST:PORT, on the way to all addresses', {wide: true}),
    line('proxy_password_file', 'Password file of the proxy', 'on the machine of triggerd'),
  ]},
  {title: 'Last will', open: false, fields: [
    {key: 'last_will.enabled', label: 'The server tells when the runtime is gone', type: 'flag', preset: true},
    line('last_will.topic', 'Topic'),
    {key: 'last_will.qos', label: 'QoS', type: 'choice', choices: [['', '1, at least once'], ['0', '0, at most once'], ['2', '2, exactly once']], typed: true},
    {key: 'last_will.retained', label: 'Retained', type: 'flag', preset: false},
    line('last_will.payload', 'Payload, sent by the server'),
    line('last_will.on_connect_payload', 'Payload once connected'),
    line('last_will.on_disconnect_payload', 'Payload before a clean disconnect'),
  ]},
  {title: 'Session and times', open: false, fields: [
    {key: 'clean_session', label: 'Clean session: what arrives meanwhile is lost', type: 'flag', preset: false},
    duration('session_expiry', 'Session expiry (MQTT 5)', '7d'),
    integer('receive_maximum', 'Receive maximum (MQTT 5)', '1000'),
    integer('topic_aliases', 'Topic aliases (MQTT 5)', '32'),
    integer('max_inflight', 'Published messages in flight', '20'),
    integer('filters_per_packet', 'Topic filters in one packet', '100'),
    duration('keep_alive', 'Keep alive', '60s'),
    duration('connection_timeout', 'Connection timeout', '30s'),
    duration('reconnect.min', 'First delay to reconnect', '1s'),
    duration('reconnect.max', 'Longest delay to reconnect', '60s'),
    integer('max_packet_size', 'Largest message', '1MiB', 'such as 64KiB, 1MiB'),
  ]},
  {title: 'More', open: false, fields: [others]},
];

export const triggerGroups = [
  {title: 'Trigger', fields: [
    name, description,
    pick('alias', 'Connection alias', 'aliases', {needed: true}),
    pick('service', 'Service', 'services', {needed: true, hint: 'of plugins that are loaded; another: PLUGIN or PLUGIN:SERVICE'}),
    {key: 'topics', label: 'Topic filters', type: 'topics', needed: true, wide: true, qos},
    enabled,
  ]},
  {title: 'How to process', open: false, fields: [
    integer('concurrency', 'At once', '1', 'more than 1 needs an order other than trigger'),
    line('order', 'In order are', 'trigger, topic, topic:N, json:/POINTER, property:NAME or none', {placeholder: 'trigger', list: 'orders'}),
    duration('timeout', 'Timeout of one call', '30s'),
    choice('acknowledge', 'Acknowledge', [['', 'durable: finished or in the inbox'], ['finished', 'finished'], ['received', 'received: at once']]),
    integer('queue_capacity', 'Queue capacity', '1000', 'messages in memory before receiving pauses'),
    choice('retained', 'Retained messages', [['', 'process'], ['skip', 'skip'], ['once', 'once']]),
    {...choice('brief', 'Calls are brief', [['', 'as the service says'], ['true', 'yes'], ['false', 'no']], 'made by the thread that has received the message'), typed: true},
    line('shared_group', 'Shared group', 'share the messages with other runtimes'),
  ]},
  {title: 'When it does not work', open: false, fields: [
    integer('retry.max_attempts', 'Attempts', '8', 'the first included'),
    duration('retry.interval', 'Before the second', '1s'),
    integer('retry.backoff', 'Each interval longer by', '2.0', 'a factor'),
    duration('retry.max_interval', 'Longest interval', '5m'),
    choice('on_exhausted', 'Out of attempts', [['', 'dead-letter: kept with its reason'], ['suspend', 'suspend the trigger'], ['discard', 'discard the message']]),
    line('dead_letter_topic', 'Dead letters also to topic'),
    pick('monitor', 'Monitor', 'services', {hint: 'a service that is asked while suspended', none: 'the trigger’s own service'}),
    duration('monitor_interval', 'Asked every', '60s'),
  ]},
  {title: 'Settings of the service', open: false, fields: [
    {key: 'settings', label: 'Settings, as JSON', type: 'json', wide: true, placeholder: '{"limit_celsius": 80}'},
  ]},
  {title: 'More', open: false, fields: [others]},
];

export const lists = {orders: () => ['trigger', 'topic', 'topic:1', 'json:/device/id', 'property:NAME', 'none']};
