import { artifactPattern } from './artifact-paths';

/** What the router has to know. */
export interface RouterConfig {
  /** Where it listens, as host and port. */
  readonly listen: string;
  /** The server in the same pod, as host and port. */
  readonly metadata: string;
  /** The Service of the artifact servers, as host and port. */
  readonly artifacts: string;
  readonly staticPrefix: string;
  /** Seconds that a connection of a client may be idle. */
  readonly keepAlive: string;
}

/**
 * The configuration of nginx, which hands on each byte as it comes, and each header as it is.
 *
 * @see https://nginx.org/en/docs/http/ngx_http_proxy_module.html
 */
export function routerConfig({ listen, metadata, artifacts, staticPrefix, keepAlive }: RouterConfig): string {
  return `worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr warn;

events {
  worker_connections 4096;
}

http {
  # MLflow logs requests
  access_log off;
  server_tokens off;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;

  # nothing waits on a disk, and nothing is sent twice: a client knows what it may send again
  proxy_http_version 1.1;
  proxy_request_buffering off;
  proxy_buffering off;
  proxy_next_upstream off;
  client_max_body_size 0;
  client_body_buffer_size 64k;
  # one of them for each transfer
  proxy_buffer_size 64k;
  proxy_buffers 4 64k;
  large_client_header_buffers 4 64k;

  # the server ends a silent upload itself, after 120 seconds
  client_header_timeout 60s;
  client_body_timeout 150s;
  proxy_connect_timeout 10s;
  proxy_send_timeout 1h;
  proxy_read_timeout 1h;
  send_timeout 1h;
  keepalive_timeout ${keepAlive}s;

  underscores_in_headers on;
  ignore_invalid_headers off;
  merge_slashes off;
  proxy_redirect off;
  proxy_set_header Host $http_host;
  proxy_set_header Connection "";
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;

  upstream metadata {
    server ${metadata} max_fails=0;
    keepalive 32;
  }

  # a connection for each transfer, so that they spread over the pods
  upstream artifacts {
    server ${artifacts} max_fails=0;
  }

  server {
    listen ${listen};

    location / {
      proxy_pass http://metadata;
    }

    location ~ "${artifactPattern(staticPrefix)}" {
      proxy_pass http://artifacts;
    }
  }
}
`;
}
