// trigger-service.js: a service for triggerd's plugin `exec`, in Node.js 18 or newer.
//
// Everything is called on the one thread of JavaScript: handlers are in hand at the same time where
// they await something, as many as the trigger's `in_flight` allows.
/// <reference types="node" />

/** Text is sent as UTF-8. */
export type Payload = string | Buffer | Uint8Array;

/** Properties of MQTT 5; a member that is missing is one that the message does not have. */
export interface Properties {
  contentType?: string;
  responseTopic?: string;
  correlationData?: Buffer | Uint8Array | string;
  /** 0: bytes, 1: UTF-8. */
  payloadFormat?: 0 | 1;
  /** Seconds. */
  messageExpiry?: number;
  /** Names and values, in the sender's order; a name may come several times. */
  user?: Array<[name: string, value: string]>;
}

/** A message to publish. A RangeError for a topic or a QoS that no server would take. */
export interface Publish {
  /** Without wildcards. */
  topic: string;
  /** Empty if absent. */
  payload?: Payload;
  /** 1 if absent. */
  qos?: 0 | 1 | 2;
  /** false if absent. */
  retain?: boolean;
  /** The trigger's own if absent. */
  alias?: string;
  /** Only for an alias of MQTT 5. */
  properties?: Properties;
}

export type PublishErrorName =
  | 'failed' | 'invalid' | 'full' | 'not_connected' | 'not_found' | 'state' | 'cancelled'
  | 'unsupported';

/** What becomes of a message. Made by `ok`, `retry`, `reject` and `unavailable`. */
export class Verdict {
  private constructor();
  readonly verdict: 'ok' | 'retry' | 'reject' | 'unavailable';
  readonly reason: string;
  /** Milliseconds. */
  readonly afterMs?: number;
  readonly publish: Publish[];
}

/** The message is finished, once the server has everything in `publish`. If it does not get that,
 *  the first failure decides as `PublishError.verdict` does. */
export function ok(options?: { publish?: Iterable<Publish> }): Verdict;
/** The message is tried again, after so many milliseconds or the trigger's backoff. A RangeError
 *  for more than exec takes: 2**32 - 1. */
export function retry(reason?: string, options?: { afterMs?: number }): Verdict;
/** The message will never succeed: it becomes a dead letter at once, with the reason. */
export function reject(reason?: string): Verdict;
/** Something that the service needs is away: the trigger waits, and no attempt is counted.
 *  `afterMs` as in `retry`. */
export function unavailable(reason?: string, options?: { afterMs?: number }): Verdict;

/** The server did not get a message. If `handle` throws it, the message gets `verdict()`. */
export class PublishError extends Error {
  constructor(error: PublishErrorName, reason?: string);
  readonly error: PublishErrorName;
  readonly reason: string;
  /** unavailable without a connection or with too much on its way, reject where it can never
   *  succeed, otherwise retry. */
  verdict(): Verdict;
}

/** A setting is missing or wrong. Thrown in `start`, it ends the process with its text. */
export class SettingError extends Error {}

interface SettingTypes {
  string: string;
  integer: number;
  number: number;
  boolean: boolean;
  any: any;
}
type SettingRules = Record<string, { type: keyof SettingTypes; default?: unknown }>;

/** Checks settings: `readSettings(context.settings, { limit: { type: 'integer', default: 10 } })`.
 *  A SettingError for a key that is not named here, for one without a default that is missing, and
 *  for one of another type. An integer beyond 2**53 has lost digits, as in `Context.settings`. */
export function readSettings<Rules extends SettingRules>(
  settings: Record<string, unknown>, rules: Rules,
): { [Key in keyof Rules]: SettingTypes[Rules[Key]['type']] };

/** The runtime, as the service sees it. What `start` publishes and counts is sent after `ready`. */
export interface Context {
  readonly trigger: string;
  readonly alias: string;
  /** Which of the trigger's processes this is, counted from 0. */
  readonly process: number;
  /** How many messages may be in hand at once. */
  readonly inFlight: number;
  /** The table [triggers.settings.service], with its types. Whole numbers are numbers of
   *  JavaScript: beyond 2**53 they lose digits. Write such a setting as a string. */
  readonly settings: Record<string, any>;
  /** A line in triggerd's log. */
  log(level: 'trace' | 'debug' | 'info' | 'warn' | 'error', text: string): void;
  /** Adds to a metric (1 if absent). `kind`: counter, which only goes upwards, unless it says
   *  gauge. `help` is needed once. A RangeError for a wrong name or number. */
  metric(name: string, add?: number, options?: { kind?: 'counter' | 'gauge'; help?: string }): void;
  /** Publishes and does not wait; a failure is only logged. */
  publish(message: Publish): void;
  /** Resolves once the server has the message, or rejects with a PublishError; after `timeoutMs`
   *  (10000 if absent) with "failed", and the server may have it all the same. Not in `start`. From
   *  `stop` on nothing can be waited for: once standard input has ended it rejects at once, with
   *  "cancelled", and nothing is sent. What needs no answer, `publish` still sends. */
  publishAndWait(message: Publish, options?: { timeoutMs?: number }): Promise<void>;
}

/** One attempt at a message. */
export interface Message {
  readonly context: Context;
  /** Names this attempt. */
  readonly token: string;
  /** The same over all attempts, and unique over all runtimes. */
  readonly id: string;
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly retained: boolean;
  /** The server may have delivered it before. */
  readonly duplicate: boolean;
  /** 1 for the first. */
  readonly attempt: number;
  /** Milliseconds since 1970-01-01 UTC. */
  readonly receivedMs: number;
  /** undefined over MQTT 3.1.1. */
  readonly properties?: Properties;
  /** Its time is over: the verdict does not count any more. */
  readonly expired: boolean;
  /** The payload as UTF-8. A TypeError if it is not: usually a reason to reject. */
  text(): string;
  /** The payload as JSON. Throws if it is not: usually a reason to reject. */
  json(): any;
  /** How many milliseconds are left for the verdict; negative when it is late. */
  remainingMs(): number;
  /** Moves the deadline to so many milliseconds from now: 1 to 2**32 - 1, or a RangeError. */
  extend(ms: number): void;
  /** The right to give the verdict later; what `handle` returns then does not matter, unless it is
   *  a verdict. */
  defer(): Completion;
  /** The answer to a request of MQTT 5: `ok({ publish: [message.reply('42')] })`. A TypeError if
   *  the message has no response topic. */
  reply(payload: Payload, options?: { qos?: 0 | 1 | 2 }): Publish;
}

/** The right to give one message its verdict, once. Keep it until then: one that is dropped without
 *  a verdict is not noticed, and the message waits for its deadline. (In Python it is a retry.) */
export interface Completion {
  readonly message: Message;
  /** Gives the verdict. false: the message had one already, or its time was over. */
  complete(verdict: Verdict): boolean;
}

type Outcome = Verdict | Completion | void;
export type Handler = (message: Message) => Outcome | Promise<Outcome>;

/** Any object with `handle` is a service, and so is a class without arguments, or a function. */
export interface Service {
  /** For the log. */
  readonly name?: string;
  readonly version?: string;
  /** Gets ready: settings, connections. What it throws ends the process, with exit code 1. */
  start?(context: Context): void | Promise<void>;
  /** What it throws is a retry, with its text, and its stack is logged as a warning (that of a
   *  PublishError only at debug). */
  handle(message: Message): Outcome | Promise<Outcome>;
  /** Several messages at once: a verdict (or undefined, if deferred) for each, in their order. What
   *  it throws is the outcome of each of them. */
  handleBatch?(messages: Message[]): Outcome[] | Promise<Outcome[]>;
  /** No more messages come, and handle has returned for all. What was deferred may still be
   *  completed, in here or later. Close here what would keep the process alive. From now on nothing
   *  can be waited for: exec does not answer a publish any more. */
  stop?(): void | Promise<void>;
}

type AnyService = Service | (new () => Service) | Handler;

/** Serves until exec says stop, standard input ends, or SIGTERM or SIGINT comes; then resolves when
 *  every message in hand has its verdict. A signal after that ends the process at once, and so does
 *  a `start` that fails, with exit code 1. Standard output is the protocol's: what console.log and
 *  process.stdout write goes to standard error, that is, to the log. A program that the service
 *  starts must not inherit it: use `stdio: ['ignore', 2, 2]`, or 'pipe'. */
export function run(
  service: AnyService, options?: { name?: string; version?: string },
): Promise<void>;

/** A message for a TestHost; what is absent is made up. */
export interface TestMessage {
  topic?: string;
  payload?: Payload;
  id?: string;
  qos?: 0 | 1 | 2;
  retained?: boolean;
  duplicate?: boolean;
  attempt?: number;
  receivedMs?: number;
  timeoutMs?: number;
  properties?: Properties;
}

/** Calls a service in this process, for its tests: no triggerd, no server, no pipes. What is
 *  published succeeds, unless `refusePublishes` says otherwise. */
export class TestHost {
  private constructor();
  /** Makes the service and calls `start`; rejects with what that throws. */
  static create(service: AnyService, options?: {
    settings?: Record<string, unknown>; trigger?: string; alias?: string; inFlight?: number;
  }): Promise<TestHost>;
  readonly service: any;
  /** In their order; a payload is a string, or a Buffer if it is no UTF-8. */
  readonly published: Publish[];
  readonly logs: Array<{ level: string; text: string }>;
  /** By name: the sum of what was added. */
  readonly metrics: Record<string, number>;
  readonly extended: Array<{ token: string; ms: number }>;
  /** One message, and its verdict. */
  send(message?: TestMessage): Promise<Verdict>;
  /** Several messages at once, and their verdicts. */
  sendBatch(messages: TestMessage[]): Promise<Verdict[]>;
  /** As `send`, without waiting. The message's token. */
  post(message?: TestMessage): string;
  /** Of the message with that token; rejects if there is none in time (30000 ms if absent). */
  verdict(token: string, options?: { timeoutMs?: number }): Promise<Verdict>;
  /** Whether the message with that token has no verdict yet. */
  pending(token: string): boolean;
  /** The time for that message is over. */
  expire(token: string): void;
  /** From now on a publish fails, until `acceptPublishes`: with not_connected, if absent. */
  refusePublishes(error?: PublishErrorName, reason?: string): void;
  acceptPublishes(): void;
  /** As at the end of the process, where no publish is answered; rejects with what the service's
   *  `stop` throws. */
  stop(): Promise<void>;
}
