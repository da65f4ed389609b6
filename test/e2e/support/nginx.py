"""nginx on loopback, in front of a registry or alone."""

import pathlib

from .process import Daemon, listens


class Nginx:
    """One nginx with these `server` blocks, which listen on `ports` of 127.0.0.1: `servers` speak HTTP, `streams` pass
    TCP on."""

    def __init__(self, directory: pathlib.Path, ports, servers: str = "", streams: str = ""):
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        temporary = " ".join(f"{kind}_temp_path {directory}/{kind};"
                             for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        module = "load_module modules/ngx_stream_module.so;" if streams else ""
        (directory / "nginx.conf").write_text(f"""
{module}
daemon off;
master_process off;
pid {directory}/pid;
error_log {directory}/error.log;
events {{}}
http {{
  {temporary}
  client_max_body_size 0;
  log_format who "$ssl_client_s_dn $request_method $uri $status";
  {servers.replace("{directory}", str(directory))}
}}
{f"stream {{ {streams} }}" if streams else ""}
""")
        self._daemon = Daemon(["nginx", "-c", directory / "nginx.conf"], directory, "nginx")
        self._daemon.wait_for(lambda: all(listens(port) for port in ports))

    def log(self, name: str) -> list:
        """The lines of a log of the format `who`: subject of the client certificate (- without), method, path, status."""
        return (self._directory / name).read_text().splitlines()

    def stop(self):
        self._daemon.stop()
