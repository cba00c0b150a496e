// The keys of an alias and of a trigger, as docs/reference/configuration.md describes them, in form order.
// {key, label, type, hint, ...}; a group with `open: false` is folded unless a field in it is filled.

const duration = (key, label, preset, hint) => ({key, label, type: 'amount', placeholder: preset, hint: hint ?? 'such as 500ms, 30s, 5m'});
const integer = (key, label, preset, hint) => ({key, label, type: 'amount', placeholder: preset, hint});
const choice = (key, label, choices, hint) => ({key, label, type: 'choice', choices, hint});
const program = (key, label, placeholder, hint) => ({key, label, type: 'text', wide: true, placeholder, hint});
const pick = (key, label, list, more = {}) => ({key, label, type: 'pick', list, ...more});
const line = (key, label, hint, more = {}) => ({key, label, type: 'line', hint, ...more});

const name = {...line('name', 'Name', 'letters, digits, _ . and -'), needed: true, fixedWhenThere: true};
const description = line('description', 'Description', 'for people');
const enabled = {key: 'enabled', label: 'Enabled', type: 'flag', preset: true};
const others = {key: '', label: 'Other keys, as JSON', type: 'rest', wide: true, hint: 'keys without a field of their own'};
const qos = [['1', '1, at least once'], ['0', '0, at most once'], ['2', '2, exactly once']];

export const aliasGroups = [
  {title: 'Connection alias', fields: [
    name, description,
    {key: 'host', label: 'Addresses', type: 'addresses', needed: true, answers: ['host', 'hosts'], wide: true,
      hint: 'tcp:// ssl:// ws:// or wss://HOST:PORT; one per line, tried in this order', placeholder: 'tcp://localhost:1883'},
    line('client_id', 'Client id', 'empty: generated once, and kept'),
    choice('protocol', 'MQTT', [['', '3.1.1'], ['5', '5']]),
    enabled,
  ]},
  {title: 'Login and TLS', open: false, fields: [
    line('user_name', 'User name'),
    {key: 'password', label: 'Password', type: 'secret'},
    line('password_file', 'Password file', 'a path on the triggerd machine'),
    pick('truststore', 'Truststore', 'truststores', {hint: 'needed with TLS', none: 'none'}),
    pick('keystore', 'Keystore', 'keystores', {hint: 'for mutual TLS', none: 'none'}),
    line('key_alias', 'Key', 'which key of the keystore'),
    {key: 'alpn', label: 'ALPN', type: 'lines', hint: 'protocols, one per line'},
  ]},
  {title: 'Proxy', open: false, fields: [
    line('proxy', 'Proxy', 'http:// or socks5://USER@HOST:PORT, on the way to all addresses', {wide: true}),
    line('proxy_password_file', 'Proxy password file', 'a path on the triggerd machine'),
  ]},
  {title: 'Last will', open: false, fields: [
    {key: 'last_will.enabled', label: 'The server publishes it when the connection is lost', type: 'flag', preset: true},
    line('last_will.topic', 'Topic'),
    {key: 'last_will.qos', label: 'QoS', type: 'choice', choices: [['', '1, at least once'], ['0', '0, at most once'], ['2', '2, exactly once']], typed: true},
    {key: 'last_will.retained', label: 'Retained', type: 'flag', preset: false},
    line('last_will.payload', 'Payload, sent by the server'),
    line('last_will.on_connect_payload', 'Payload once connected'),
    line('last_will.on_disconnect_payload', 'Payload before a clean disconnect'),
  ]},
  {title: 'Outbox', open: false, fields: [
    {key: 'outbox.max_size', label: 'What is published while the server is away is kept, up to', type: 'amount', placeholder: '100MiB', hint: 'such as 64KiB, 100MiB, for QoS 1 and 2; empty: not kept'},
    choice('outbox.when_full', 'When it is full', [['', 'refuse: what is published fails'], ['drop-oldest', 'drop-oldest: make room for what is newer']]),
  ]},
  {title: 'Session and timing', open: false, fields: [
    {key: 'clean_session', label: 'Clean session: messages that arrive while disconnected are lost', type: 'flag', preset: false},
    duration('session_expiry', 'Session expiry (MQTT 5)', '7d'),
    integer('receive_maximum', 'Receive maximum (MQTT 5)', '1000'),
    integer('topic_aliases', 'Topic aliases (MQTT 5)', '32'),
    integer('max_inflight', 'Published messages in flight', '20'),
    integer('filters_per_packet', 'Topic filters per packet', '100'),
    duration('keep_alive', 'Keep alive', '60s'),
    duration('connection_timeout', 'Connection timeout', '30s'),
    duration('reconnect.min', 'First reconnect delay', '1s'),
    duration('reconnect.max', 'Longest reconnect delay', '60s'),
    integer('max_packet_size', 'Largest message', '1MiB', 'such as 64KiB, 1MiB'),
  ]},
  {title: 'More', open: false, fields: [others]},
];

export const triggerGroups = [
  {title: 'Trigger', fields: [
    name, description,
    pick('alias', 'Connection alias', 'aliases', {needed: true}),
    pick('service', 'Service', 'services', {needed: true, hint: 'one of a loaded plugin, or another: PLUGIN or PLUGIN:SERVICE'}),
    {key: 'topics', label: 'Topic filters', type: 'topics', needed: true, wide: true, qos},
    enabled,
  ]},
  {title: 'Processing', open: false, fields: [
    integer('concurrency', 'Concurrency', '1', 'more than 1 needs an order other than trigger'),
    line('order', 'Order', 'trigger, topic, topic:N, json:/POINTER, property:NAME or none', {placeholder: 'trigger', list: 'orders'}),
    duration('timeout', 'Timeout per call', '30s'),
    choice('acknowledge', 'Acknowledge', [['', 'durable: finished or in the inbox'], ['finished', 'finished'], ['received', 'received: at once']]),
    integer('queue_capacity', 'Queue capacity', '1000', 'messages in memory before receiving pauses'),
    line('max_rate', 'Highest rate', 'such as 100/s, 30/min, 5/h: the rest waits', {placeholder: 'no limit'}),
    duration('delay', 'Delay', 'none', 'from the receipt of a message to its first attempt'),
    choice('retained', 'Retained messages', [['', 'process'], ['skip', 'skip'], ['once', 'once']]),
    {...choice('brief', 'Calls are brief', [['', 'as the service says'], ['true', 'yes'], ['false', 'no']], 'then made on the thread that received the message'), typed: true},
    line('shared_group', 'Shared group', 'share the messages with other runtimes'),
  ]},
  {title: 'Content', open: false, fields: [
    program('when', 'When', '.temperature > 80', 'a program in jq: which messages the service sees'),
    program('transform', 'Transform', '{id: .device, celsius: .temperature}', 'a program in jq: what it gets of them'),
    {key: 'split', label: 'Each result of transform is a message', type: 'flag', preset: false},
    line('schema', 'JSON Schema', 'a path on the triggerd machine'),
    choice('on_error', 'What cannot be evaluated', [['', 'reject: a dead letter'], ['pass', 'pass: the service gets it as it came']]),
    choice('evaluation.input', 'Payloads are', [['', 'JSON'], ['text', 'text']]),
    duration('evaluation.timeout', 'Longest run', '100ms', 'of the processor’s time'),
    integer('evaluation.max_size', 'Largest payload and result', '1MiB'),
  ]},
  {title: 'Once', open: false, fields: [
    line('deduplicate.key', 'Key', 'messages with the same are handled once: property:NAME, json:/POINTER or payload', {placeholder: 'json:/id', list: 'keys'}),
    {...choice('deduplicate.topic', 'The topic is part of it', [['', 'with payload'], ['true', 'yes'], ['false', 'no']]), typed: true},
    duration('deduplicate.window', 'For how long', '1h'),
    integer('deduplicate.max', 'Keys remembered', '1000000', 'about 40 bytes each, in memory and in the inbox'),
  ]},
  {title: 'On failure', open: false, fields: [
    integer('retry.max_attempts', 'Attempts', '8', 'including the first'),
    duration('retry.interval', 'First interval', '1s'),
    integer('retry.backoff', 'Backoff factor', '2.0', 'how much longer each interval is'),
    duration('retry.max_interval', 'Longest interval', '5m'),
    choice('on_exhausted', 'When attempts run out', [['', 'dead-letter: kept with its reason'], ['suspend', 'suspend the trigger'], ['discard', 'discard the message']]),
    line('dead_letter_topic', 'Also publish dead letters to'),
    pick('monitor', 'Monitor', 'services', {hint: 'the service to ask while suspended', none: 'the trigger’s own service'}),
    duration('monitor_interval', 'Monitor interval', '60s'),
  ]},
  {title: 'Service settings', open: false, fields: [
    {key: 'settings', label: 'Settings, as JSON', type: 'json', wide: true, placeholder: '{"limit_celsius": 80}'},
  ]},
  {title: 'More', open: false, fields: [others]},
];

export const lists = {orders: () => ['trigger', 'topic', 'topic:1', 'json:/device/id', 'property:NAME', 'none'], keys: () => ['property:message-id', 'json:/id', 'payload']};
