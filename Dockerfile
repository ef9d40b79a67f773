FROM python:3.12 AS build
WORKDIR /source
COPY . .
# Here, where there is a compiler.
RUN pip wheel --no-deps --wheel-dir /wheel .

FROM python:3.12-slim AS server
WORKDIR /normscope
# What changes rarely comes first: the packages are a layer of their own.
COPY constraints.txt ./
# PyTorch for processors alone: its usual build brings gigabytes of CUDA. For a GPU, leave the first of these lines out.
RUN pip install --no-cache-dir --constraint constraints.txt --no-deps \
        --extra-index-url https://download.pytorch.org/whl/cpu torch
RUN pip install --no-cache-dir --constraint constraints.txt \
        torch numpy websockets fastapi uvicorn jinja2 plotly sqlalchemy alembic psutil scikit-learn \
        prometheus-client zstandard "psycopg[binary]" redis
COPY --from=build /wheel /wheel
RUN pip install --no-cache-dir --constraint constraints.txt "$(echo /wheel/*.whl)[server,postgres,redis]"

RUN useradd --create-home --uid 1000 normscope && mkdir -p /data/runs && chown -R normscope /data
USER normscope
WORKDIR /data
# Downloaded data sets are kept there too: nothing else need be writable but /tmp.
ENV NORMSCOPE_DATA=/data PYTHONDONTWRITEBYTECODE=1
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz')"]
# In a container everything is reached from outside it, so it asks for a token; its log has that of the first start.
CMD ["normscope", "serve", "--host", "0.0.0.0", "--data", "/data", "--no-browser"]

# A server or worker of a cluster: the same, and Ray.
FROM server AS cluster
USER root
RUN pip install --no-cache-dir --constraint /normscope/constraints.txt "ray[default]"
USER normscope

# What `docker build .` makes.
FROM server
