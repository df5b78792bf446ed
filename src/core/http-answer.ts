/** What another side answered to a request for or with bytes, as plain data that any thread can hand on. */
export interface HttpAnswer {
  /** Scheme and host, for messages. */
  readonly origin: string;
  readonly status: number;
  /** By names in lower case; one that came more than once is joined by ", ". */
  readonly headers: Readonly<Record<string, string>>;
  /** The first 64 KiB of the body. */
  readonly text: string;
}
