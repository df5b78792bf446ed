import { register } from 'node:module';

const patches = JSON.parse(process.env.EXPLORE_PATCHES ?? '[]');
register('./hooks.mjs', import.meta.url, { data: { patches } });
