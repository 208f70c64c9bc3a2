# The operator's early script in the lab. An initial RAM disk made as usual costs an emulated
# processor more than a minute, and it is made twice.
cat > /usr/lib/base-installer.d/06quick-initramfs <<'HOOK'
#!/bin/sh
mkdir -p /target/etc/initramfs-tools/conf.d
printf 'MODULES=dep\nCOMPRESS=gzip\nCOMPRESSLEVEL=1\n' > /target/etc/initramfs-tools/conf.d/quick
HOOK
chmod 755 /usr/lib/base-installer.d/06quick-initramfs
