// An express with `compression` in front of a web server: node compress.mjs PACKAGES PORT TARGET-PORT. It compresses what it
// may, as its manual shows.
import http from 'node:http';
import { createRequire } from 'node:module';

const [packages, port, target] = process.argv.slice(2);
const require = createRequire(`${packages}/`);
const app = require('express')();

app.use(require('compression')({ threshold: 0 }));
app.use((request, response) => {
  const upstream = http.request({ port: target, path: request.url, method: request.method, headers: request.headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.on('error', () => response.destroy());
    answer.pipe(response);
  });
  upstream.on('error', () => response.destroy());
  response.on('close', () => upstream.destroy());
  request.pipe(upstream);
});
app.listen(Number(port), '127.0.0.1');
