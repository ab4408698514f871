#lib
USE=(--runc-binary "$RUNTIME")

#case config
mkdir root
tar -C root -xf "$IMAGE"
"$RUNTIME" spec
sed -i -e "s|\"linux\": {|&\"cgroupsPath\": \"$PARENT/$NAME\",|" -e 's/"terminal": true/"terminal": false/' -e 's/"sh"/"echo", "hello"/' -e "s|\"rootfs\"|\"$WORK/root\"|" config.json
eq "$(ctr run --rm --config config.json "${USE[@]}" "$NAME")" hello
