import * as http from 'node:http';
import * as https from 'node:https';
import { ForwardingAgent, TunnelAgent } from './proxied-agents.js';
import { hostAndPort, proxyFor, type Proxy } from './proxies.js';

declare module 'node:http' {
  interface Agent {
    /** How Node gives a request to its agent; undocumented, and what the agents of libraries are built on too. */
    addRequest(request: http.ClientRequest, options: http.RequestOptions): void;
  }
}

/** Agents that take the proxy that the environment names for a host, or none. */
export interface Agents {
  readonly plain: ChoosingAgent;
  readonly secure: ChoosingAgent;
}

/** Makes a pair of agents with pools of their own. */
export function createAgents(settings: https.AgentOptions): Agents {
  return {
    plain: new ChoosingAgent('http:', 80, settings, (proxy) =>
      proxy === undefined ? new http.Agent(settings) : new ForwardingAgent(proxy, settings)
    ),
    secure: new ChoosingAgent('https:', 443, settings, (proxy) =>
      proxy === undefined ? new https.Agent(settings) : new TunnelAgent(proxy, settings)
    ),
  };
}

/** Hands each request to the agent of its proxy, or to one that takes none. */
class ChoosingAgent extends http.Agent {
  readonly #agents = new Map<Proxy | undefined, http.Agent>();

  constructor(
    readonly protocol: 'http:' | 'https:',
    readonly defaultPort: number,
    private readonly settings: https.AgentOptions,
    private readonly make: (proxy: Proxy | undefined) => http.Agent
  ) {
    super(settings);
  }

  override addRequest(request: http.ClientRequest, options: http.RequestOptions): void {
    const { protocol, defaultPort, settings } = this;
    const proxy = proxyFor(new URL(`${protocol}//${hostAndPort(options.host ?? '', options.port ?? defaultPort)}`));
    const agent = this.#agents.get(proxy) ?? this.make(proxy);
    this.#agents.set(proxy, agent);
    // The libraries look for the protocol in the call stack otherwise, and show the settings of TLS to the proxy alone.
    agent.addRequest(request, { ...settings, ...options, protocol });
  }

  override destroy(): void {
    for (const agent of this.#agents.values()) agent.destroy();
  }

  /** Closes the connections that no request uses at the moment. */
  closeIdle(): void {
    for (const { freeSockets } of this.#agents.values()) {
      for (const sockets of Object.values(freeSockets)) for (const socket of sockets ?? []) socket.destroy();
    }
  }
}
