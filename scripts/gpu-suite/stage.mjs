// One stage of the GPU suite in a process of its own: node stage.mjs <name> <options as JSON>. Messages go to the parent.
import process from 'node:process';
import { Context } from './context.mjs';
import { findStage } from './stages.mjs';

const [name, options] = process.argv.slice(2);
const send = (message) => new Promise((resolve) => process.send(message, resolve));
try {
  const context = await Context.create(JSON.parse(options), send);
  try {
    await (await findStage(name).load()).default(context);
  } finally {
    context.close();
  }
  process.exitCode = 0;
} catch (error) {
  await send({ error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
  process.exitCode = 1;
}
process.disconnect();
